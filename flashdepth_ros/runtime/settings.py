"""
The settings of depth estimation and its outputs, shared by the node and the command line.

A frozen dataclass defines names, defaults and descriptions; the node adds its own parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.messages import DEPTH_ENCODINGS, check_bits
from flashdepth_ros.network import PRESETS
from flashdepth_ros.network.presets import DEFAULT_MODEL, preset
from flashdepth_ros.runtime.engines import ENGINES, PRECISIONS
from flashdepth_ros.runtime.engines.requested import GPU_OPTIONS, split_options
from flashdepth_ros.runtime.estimator import OUTPUT_SIZES, DepthEstimator
from flashdepth_ros.runtime.sequence import SequencePolicy
from flashdepth_ros.runtime.setting_description import ros_name, setting
from flashdepth_ros.runtime.weights import find_weights

FAR_M = 1e6


@dataclass(frozen=True)
class Settings:
    """
    All settings of estimator and outputs; the ROS name of `depth_min` is `depth.min`.

    :raises ConfigError: two settings contradict each other.
    """

    model: str = setting(
        DEFAULT_MODEL, 'name of the model preset', choices=tuple(PRESETS), shared=True
    )
    weights: str = setting(
        '',
        'a .pth, .safetensors or exported .onnx file; empty: those of the preset, in models/ or '
        'in the cache',
        shared=True,
    )
    device: str = setting(
        'auto', 'device of the network: auto, cpu, cuda, cuda:N or intel_gpu', shared=True
    )
    precision: str = setting(
        'auto', 'numeric precision of the network', choices=('auto', *PRECISIONS), shared=True
    )
    engine: str = setting('auto', 'inference engine', choices=ENGINES, shared=True)
    gpu_options: str = setting(
        '',
        f'faster ways to compute on CUDA, separated by commas: {", ".join(GPU_OPTIONS)}',
        shared=True,
    )
    temporal: bool = setting(
        True, 'use the recurrent state; false: every frame separately (baseline)', shared=True
    )
    inference_short_side: int = setting(
        0, "short side of the network input, px; 0: the preset's size", high=4096, shared=True
    )
    inference_long_side_max: int = setting(
        2044,
        'maximum long side of the network input, px; a preset can have a lower one',
        low=14,
        high=8192,
        shared=True,
    )
    image_bits: int = setting(
        0,
        'bits in use of 16-bit images, 8 to 16; 0: found from the images',
        high=16,
        dynamic=True,
    )
    camera_rectified: str = setting(
        'auto',
        'whether the images are rectified: then P of camera_info is their camera, without '
        'distortion; auto: if the name of their topic ends in _rect or _rect_color',
        choices=('auto', 'true', 'false'),
    )
    depth_output: str = setting(
        'metric',
        'metric: depth/image and all that comes of it, in metres; relative: inverse depth without '
        'a unit on depth/inverse instead',
        choices=('metric', 'relative'),
    )
    depth_encoding: str = setting(
        '32FC1',
        'encoding of depth/image: 32FC1 in metres, 16UC1 in millimetres',
        choices=DEPTH_ENCODINGS,
    )
    depth_size: str = setting(
        'input',
        'size of depth/image: as the image (input) or as the network input (inference)',
        choices=OUTPUT_SIZES,
    )
    depth_min: float = setting(
        0.1, 'minimum depth, m; nearer is -Inf (16UC1: 0)', high=FAR_M, dynamic=True
    )
    depth_max: float = setting(
        100.0, 'maximum depth, m; farther is +Inf (16UC1: 0)', high=FAR_M, dynamic=True
    )
    depth_scale: float = setting(
        1.0,
        'factor on depth until scale.source has a fit; calibrate it at a known distance. Relative '
        'models give metres only with a value other than 1 or a fit',
        low=1e-6,
        high=1e6,
        dynamic=True,
    )
    points_stride: int = setting(
        4, 'step between points in pixels, in both axes', low=1, high=64, dynamic=True
    )
    points_color: bool = setting(True, 'add the colour of the image to the points', dynamic=True)
    points_edge_threshold: float = setting(
        0.0,
        'points at a relative depth jump above this are NaN; 0: off',
        high=1e3,
        dynamic=True,
    )
    points_min_confidence: float = setting(
        0.0, 'points of less confidence are NaN; 0: off', high=1.0, dynamic=True
    )
    color_min: float = setting(
        0.5, 'near end of the preview colour range, m', low=1e-3, high=FAR_M, dynamic=True
    )
    color_max: float = setting(
        20.0, 'far end of the preview colour range, m', low=1e-3, high=FAR_M, dynamic=True
    )
    reset_max_gap: float = setting(
        2.0,
        'a stamp later than the last one by more starts a new sequence, s; 0: never',
        high=FAR_M,
        dynamic=True,
    )
    reset_backward_tolerance: float = setting(
        0.0,
        'a stamp earlier by at most this drops the frame instead of starting a new sequence, s',
        high=FAR_M,
        dynamic=True,
    )

    def __post_init__(self) -> None:
        """Check the limits against each other, the bits, and that the encoding fits the output."""
        check_bits(self.image_bits)
        if self.depth_output == 'relative' and self.depth_encoding != '32FC1':
            raise ConfigError(
                f'depth.encoding {self.depth_encoding} holds millimetres, but depth.output '
                'relative has no unit: use 32FC1'
            )
        for near, far in (('depth_min', 'depth_max'), ('color_min', 'color_max')):
            if not getattr(self, near) < getattr(self, far):
                raise ConfigError(
                    f'{ros_name(near)} {getattr(self, near)} and {ros_name(far)} '
                    f'{getattr(self, far)}; the first must be less than the second'
                )


def missing_metres(settings: Settings, named: Callable[[str], str] = ros_name) -> str:
    """
    Return why there is no depth in metres although it is to be put out; '' if there is.

    :param named: return the name of a setting for the user.
    """
    relative = not preset(settings.model).metric and settings.depth_scale == 1.0
    if settings.depth_output == 'relative' or not relative:
        return ''
    return (
        f'{settings.model} gives inverse depth without a unit, so there is no depth in metres: '
        f'set {named("depth_scale")} to a value measured at a known distance, or '
        f'{named("depth_output")} to relative'
    )


_METRES = (
    *('depth_scale', 'depth_min', 'depth_max', 'depth_png_level'),
    *('color_min', 'color_max', 'color_jpeg_quality', 'scale_source'),
    *('points_stride', 'points_color', 'points_edge_threshold', 'points_min_confidence'),
)
"""Settings of what is made of depth in metres alone."""


def ineffective_settings(settings: Settings, named: Callable[[str], str] = ros_name) -> str:
    """Return which settings have no effect as there is no depth in metres; '' if none."""
    if settings.depth_output != 'relative':
        return ''
    defaults = {each.name: each.default for each in fields(settings)}
    changed = [
        named(name)
        for name in _METRES
        if name in defaults and getattr(settings, name) != defaults[name]
    ]
    return (
        f'no effect with {named("depth_output")} relative: {", ".join(changed)}' if changed else ''
    )


def sequence_policy(settings: Settings) -> SequencePolicy:
    """Return the policy for starting new sequences."""
    return SequencePolicy(settings.reset_max_gap, settings.reset_backward_tolerance)


def create_estimator(settings: Settings, windows: bool = False) -> DepthEstimator:
    """
    Load the model and return its estimator.

    :param windows: it is to estimate windows, which only PyTorch runs, and not in int8.
    :raises ConfigError: the device is not available on this computer.
    :raises CheckpointError: the weights cannot be found or read, or do not fit the model.
    """
    if windows:
        precision = 'auto' if settings.precision == 'int8' else settings.precision
        settings = replace(settings, engine='torch', precision=precision)
    return DepthEstimator(
        settings.model,
        settings.weights,
        settings.device,
        settings.precision,
        settings.engine,
        settings.temporal,
        settings.inference_short_side,
        long_side_max=settings.inference_long_side_max,
        output_size=settings.depth_size,
        policy=sequence_policy(settings),
        gpu_options=split_options(settings.gpu_options),
    )


def weights_path(settings: Settings) -> Path:
    """
    Return the weights file that `create_estimator` loads.

    :raises CheckpointError: the settings name no file, and none is found for the preset.
    """
    return Path(settings.weights) if settings.weights else find_weights(preset(settings.model))
