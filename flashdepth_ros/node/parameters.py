"""The node's parameters: the common settings and the node's own, and their ROS descriptors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from flashdepth_ros.runtime.settings import (
    FAR_M,
    Description,
    Settings,
    iter_settings,
    setting,
    update,
)


@dataclass(frozen=True)
class Parameters(Settings):
    """
    Every parameter of the node; the ROS name of `depth_min` is `depth.min`.

    :raises ConfigError: two parameters contradict each other.
    """

    target_rate: float = setting(
        0.0,
        'output rate, Hz; the network input is made smaller until it is reached; 0: off',
        high=1e3,
        dynamic=True,
    )
    image_transport: str = setting(
        'raw',
        'raw: subscribe to image; compressed: to image/compressed',
        choices=('raw', 'compressed'),
    )
    camera_info_require_frame_id: bool = setting(
        False,
        'refuse a camera_info with another frame_id than the image; an empty frame_id fits',
        dynamic=True,
    )
    max_frame_age: float = setting(
        0.0,
        'frames older than this are dropped, s; 0: off',
        high=FAR_M,
        dynamic=True,
    )
    diagnostics_period: float = setting(
        1.0, 'period of the /diagnostics messages, s', low=0.1, high=60.0
    )
    autostart: bool = setting(True, 'configure and activate the node at start')


def declare(node: Node) -> None:
    """Declare the parameters with their descriptors; `read` validates their values."""
    for name, each, description in iter_settings(Parameters):
        node.declare_parameter(name, each.default, _descriptor(description, each.default))


def read(node: Node, changes: Mapping[str, Any] | None = None) -> Parameters:
    """
    Return the current parameters, updated with `changes` by ROS name.

    :raises ConfigError: a value is not allowed, or two parameters contradict each other.
    """
    values = {name: node.get_parameter(name).value for name, _, _ in iter_settings(Parameters)}
    return update(Parameters(), values | dict(changes or {}))


def static_names() -> frozenset[str]:
    """Return the ROS names of the parameters that can only be set before configure."""
    return frozenset(
        name for name, _, description in iter_settings(Parameters) if not description.dynamic
    )


def _descriptor(description: Description, default: Any) -> ParameterDescriptor:
    # A float parameter accepts an integer (`depth.max:=20`), one with the choice 'true' a bool;
    # `read` refuses other types.
    descriptor = ParameterDescriptor(
        description=description.text,
        dynamic_typing=isinstance(default, float) or 'true' in description.choices,
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
