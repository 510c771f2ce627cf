"""The node's parameters: one frozen dataclass is the list, with its defaults and descriptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
import re
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.messages import DEPTH_ENCODINGS
from flashdepth_ros.network import PRESETS
from flashdepth_ros.runtime.engines import ENGINES, PRECISIONS
from flashdepth_ros.runtime.estimator import OUTPUT_SIZES

_DEVICE = re.compile(r'auto|cpu|cuda(:\d+)?|intel_gpu')
_FAR_M = 1e6


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


def _parameter(default: Any, text: str, **limits: Any) -> Any:
    return field(default=default, metadata={'description': Description(text, **limits)})


@dataclass(frozen=True)
class Parameters:
    """
    Every parameter of the node; the ROS name of `depth_min` is `depth.min`.

    :raises ConfigError: two of them contradict each other.
    """

    model: str = _parameter(
        'flashdepth-tiny', 'the network, by the name of a preset', choices=tuple(PRESETS)
    )
    weights: str = _parameter(
        '', "a .pth or .safetensors file; empty: the preset's own in models/, else in the cache"
    )
    device: str = _parameter(
        'auto', 'where the network runs: auto, cpu, cuda, cuda:N or intel_gpu'
    )
    precision: str = _parameter(
        'auto', 'numbers the network computes with', choices=('auto', *PRECISIONS)
    )
    engine: str = _parameter('auto', 'what runs the network', choices=ENGINES)
    temporal: bool = _parameter(True, 'false: every frame on its own, the per-frame baseline')
    inference_short_side: int = _parameter(
        0, "short side of the network's input, px; 0: the preset's own", high=4096
    )
    inference_long_side_max: int = _parameter(
        2044, "cap of the long side of the network's input, px", low=14, high=8192
    )
    image_transport: str = _parameter(
        'raw', 'which of image and image/compressed is read', choices=('raw', 'compressed')
    )
    depth_encoding: str = _parameter(
        '32FC1', 'of depth/image: metres, or millimetres in 16 bits', choices=DEPTH_ENCODINGS
    )
    depth_size: str = _parameter(
        'input', "depth as large as the image, or as the network's input", choices=OUTPUT_SIZES
    )
    depth_min: float = _parameter(0.1, 'nearer is -Inf (16UC1: 0), m', high=_FAR_M, dynamic=True)
    depth_max: float = _parameter(
        100.0, 'farther is +Inf (16UC1: 0), m', high=_FAR_M, dynamic=True
    )
    depth_scale: float = _parameter(
        1.0, 'multiplies depth: calibrate it on a known range', low=1e-6, high=1e6, dynamic=True
    )
    points_stride: int = _parameter(
        4, 'every n-th pixel and row of depth becomes a point', low=1, high=64, dynamic=True
    )
    points_color: bool = _parameter(True, 'points carry the colour of the image', dynamic=True)
    points_edge_threshold: float = _parameter(
        0.0,
        'points at a relative depth jump above this are NaN; 0 = off',
        high=1e3,
        dynamic=True,
    )
    color_min: float = _parameter(
        0.5, 'near end of the preview, m', low=1e-3, high=_FAR_M, dynamic=True
    )
    color_max: float = _parameter(
        20.0, 'far end of the preview, m', low=1e-3, high=_FAR_M, dynamic=True
    )
    reset_max_gap: float = _parameter(
        2.0,
        'a stamp later by more starts a new sequence, s; 0 = never',
        high=_FAR_M,
        dynamic=True,
    )
    reset_backward_tolerance: float = _parameter(
        0.0,
        'a stamp may go back by this without a reset (the frame is dropped), s',
        high=_FAR_M,
        dynamic=True,
    )
    max_frame_age: float = _parameter(
        0.0, 'older frames are dropped and counted, s; 0 = off', high=_FAR_M, dynamic=True
    )
    diagnostics_period: float = _parameter(
        1.0, 'between two messages on /diagnostics, s', low=0.1, high=60.0
    )
    autostart: bool = _parameter(True, 'the node configures and activates itself')

    def __post_init__(self) -> None:
        """Refuse limits that are not in order."""
        for near, far in (('depth_min', 'depth_max'), ('color_min', 'color_max')):
            if not getattr(self, near) < getattr(self, far):
                raise ConfigError(
                    f'{ros_name(near)} {getattr(self, near)} and {ros_name(far)} '
                    f'{getattr(self, far)}; expected the first to be less than the second'
                )


_DOTTED = ('inference', 'depth', 'points', 'color', 'reset', 'diagnostics')


def ros_name(name: str) -> str:
    """Return the ROS name of a field: the group it belongs to, a dot, the rest."""
    group, _, rest = name.partition('_')
    return f'{group}.{rest}' if group in _DOTTED else name


def described() -> Iterator[tuple[str, Field[Any], Description]]:
    """Yield every parameter's ROS name, its field and its description."""
    for each in fields(Parameters):
        yield ros_name(each.name), each, each.metadata['description']


def declare(node: Node) -> None:
    """Declare the parameters with their descriptors; `read` judges their values."""
    for name, each, description in described():
        node.declare_parameter(name, each.default, _descriptor(description, each.default))


def read(node: Node, changes: Mapping[str, Any] | None = None) -> Parameters:
    """
    Return the parameters as they are now, or would be with `changes`, by ROS name.

    :raises ConfigError: two of them contradict each other, or one is not allowed.
    """
    values = {name: node.get_parameter(name).value for name, _, _ in described()}
    return update(Parameters(), values | dict(changes or {}))


def update(parameters: Parameters, changes: Mapping[str, Any]) -> Parameters:
    """
    Return the parameters with some changed, by ROS name; names of others are passed over.

    :raises ConfigError: a value is not allowed; the message gives the allowed ones.
    """
    changed = {}
    for name, each, description in described():
        if name in changes:
            value = _typed(name, changes[name], type(each.default))
            _check(name, value, description)
            changed[each.name] = value
    return replace(parameters, **changed)


def static_names() -> frozenset[str]:
    """Return the ROS names of the parameters that only an unconfigured node takes."""
    return frozenset(name for name, _, description in described() if not description.dynamic)


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


def _descriptor(description: Description, default: Any) -> ParameterDescriptor:
    # `depth.max:=20` must do as well as 20.0; `_typed` refuses what is no number.
    descriptor = ParameterDescriptor(
        description=description.text, dynamic_typing=isinstance(default, float)
    )
    constraints = []
    if description.choices:
        constraints.append(f'one of {", ".join(description.choices)}')
    if not description.dynamic:
        constraints.append('set it before the node is configured')
    descriptor.additional_constraints = '; '.join(constraints)
    low, high = description.low, description.high
    if high and isinstance(default, float):
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    elif high:
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return descriptor
