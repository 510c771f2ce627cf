"""
What can be set of the way from an image to its depth: one list for the node and the command line.

A frozen dataclass is the list, with its defaults and descriptions; the node adds to it what only
a node has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
import re
from typing import Any, TypeVar

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.messages import DEPTH_ENCODINGS
from flashdepth_ros.network import PRESETS
from flashdepth_ros.network.config import preset
from flashdepth_ros.runtime.engines import ENGINES, PRECISIONS
from flashdepth_ros.runtime.estimator import OUTPUT_SIZES, DepthEstimator
from flashdepth_ros.runtime.sequence import SequencePolicy
from flashdepth_ros.runtime.weights import find_weights

FAR_M = 1e6
_DEVICE = re.compile(r'auto|cpu|cuda(:\d+)?|intel_gpu')


@dataclass(frozen=True)
class Description:
    """What a user is told of one parameter, and what it may be set to."""

    text: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    """Both ends included; `high` 0 means no range."""
    dynamic: bool = False
    """May be set while the node is configured; else only before it is."""


def setting(default: Any, text: str, **limits: Any) -> Any:
    """Return a field of `Settings`, with its default and what to tell a user of it."""
    return field(default=default, metadata={'description': Description(text, **limits)})


@dataclass(frozen=True)
class Settings:
    """
    Every setting of estimator and outputs; the ROS name of `depth_min` is `depth.min`.

    :raises ConfigError: two of them contradict each other.
    """

    model: str = setting(
        'flashdepth-tiny', 'the network, by the name of a preset', choices=tuple(PRESETS)
    )
    weights: str = setting(
        '', "a .pth or .safetensors file; empty: the preset's own in models/, else in the cache"
    )
    device: str = setting('auto', 'where the network runs: auto, cpu, cuda, cuda:N or intel_gpu')
    precision: str = setting(
        'auto', 'numbers the network computes with', choices=('auto', *PRECISIONS)
    )
    engine: str = setting('auto', 'what runs the network', choices=ENGINES)
    temporal: bool = setting(True, 'false: every frame on its own, the per-frame baseline')
    inference_short_side: int = setting(
        0, "short side of the network's input, px; 0: the preset's own", high=4096
    )
    inference_long_side_max: int = setting(
        2044, "cap of the long side of the network's input, px", low=14, high=8192
    )
    depth_encoding: str = setting(
        '32FC1', 'of depth/image: metres, or millimetres in 16 bits', choices=DEPTH_ENCODINGS
    )
    depth_size: str = setting(
        'input', "depth as large as the image, or as the network's input", choices=OUTPUT_SIZES
    )
    depth_min: float = setting(0.1, 'nearer is -Inf (16UC1: 0), m', high=FAR_M, dynamic=True)
    depth_max: float = setting(100.0, 'farther is +Inf (16UC1: 0), m', high=FAR_M, dynamic=True)
    depth_scale: float = setting(
        1.0, 'multiplies depth: calibrate it on a known range', low=1e-6, high=1e6, dynamic=True
    )
    points_stride: int = setting(
        4, 'every n-th pixel and row of depth becomes a point', low=1, high=64, dynamic=True
    )
    points_color: bool = setting(True, 'points carry the colour of the image', dynamic=True)
    points_edge_threshold: float = setting(
        0.0,
        'points at a relative depth jump above this are NaN; 0 = off',
        high=1e3,
        dynamic=True,
    )
    color_min: float = setting(
        0.5, 'near end of the preview, m', low=1e-3, high=FAR_M, dynamic=True
    )
    color_max: float = setting(
        20.0, 'far end of the preview, m', low=1e-3, high=FAR_M, dynamic=True
    )
    reset_max_gap: float = setting(
        2.0,
        'a stamp later by more starts a new sequence, s; 0 = never',
        high=FAR_M,
        dynamic=True,
    )
    reset_backward_tolerance: float = setting(
        0.0,
        'a stamp may go back by this without a reset (the frame is dropped), s',
        high=FAR_M,
        dynamic=True,
    )

    def __post_init__(self) -> None:
        """Refuse limits that are not in order."""
        for near, far in (('depth_min', 'depth_max'), ('color_min', 'color_max')):
            if not getattr(self, near) < getattr(self, far):
                raise ConfigError(
                    f'{ros_name(near)} {getattr(self, near)} and {ros_name(far)} '
                    f'{getattr(self, far)}; expected the first to be less than the second'
                )


Some = TypeVar('Some', bound=Settings)
_DOTTED = ('inference', 'depth', 'points', 'color', 'reset', 'diagnostics')


def ros_name(name: str) -> str:
    """Return the ROS name of a field: the group it belongs to, a dot, the rest."""
    group, _, rest = name.partition('_')
    return f'{group}.{rest}' if group in _DOTTED else name


def described(kind: type[Settings]) -> Iterator[tuple[str, Field[Any], Description]]:
    """Yield every setting's ROS name, its field and its description."""
    for each in fields(kind):
        yield ros_name(each.name), each, each.metadata['description']


def update(settings: Some, changes: Mapping[str, Any]) -> Some:
    """
    Return the settings with some changed, by ROS name; names of others are passed over.

    :raises ConfigError: a value is not allowed; the message gives the allowed ones.
    """
    changed = {}
    for name, each, description in described(type(settings)):
        if name in changes:
            value = _typed(name, changes[name], type(each.default))
            _check(name, value, description)
            changed[each.name] = value
    return replace(settings, **changed)


def policy_of(settings: Settings) -> SequencePolicy:
    """Return when a new sequence starts."""
    return SequencePolicy(settings.reset_max_gap, settings.reset_backward_tolerance)


def create_estimator(settings: Settings) -> DepthEstimator:
    """
    Load the model.

    :raises ConfigError: a device that this machine does not have.
    :raises CheckpointError: the weights cannot be found, read, or do not fit.
    """
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
        policy=policy_of(settings),
    )


def weights_of(settings: Settings) -> Path:
    """
    Return the file of weights that `create_estimator` loads.

    :raises CheckpointError: none is named and there is none of the preset's own.
    """
    return Path(settings.weights) if settings.weights else find_weights(preset(settings.model))


def _typed(name: str, value: Any, expected: type) -> Any:
    """Return the value as the type of its default; a whole number will do for a float."""
    if type(value) is expected:
        return value
    if expected is float and type(value) is int:
        return float(value)
    raise ConfigError(f'{name} {value!r} is not allowed; a {expected.__name__} is expected')


def _check(name: str, value: Any, description: Description) -> None:
    if description.choices and value not in description.choices:
        allowed = ', '.join(description.choices)
        raise ConfigError(f'{name} {value!r} is not allowed; one of {allowed}')
    if name == 'device' and not _DEVICE.fullmatch(value):
        raise ConfigError(
            f'device {value!r} is not allowed; one of auto, cpu, cuda, cuda:N, intel_gpu'
        )
    if description.high and not description.low <= value <= description.high:
        raise ConfigError(
            f'{name} {value} is not allowed; {description.low:g} to {description.high:g}'
        )
