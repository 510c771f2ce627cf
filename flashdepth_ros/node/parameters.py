"""The node's parameters: the settings, what only a node has, and both as ROS declares them."""

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
    described,
    setting,
    update,
)


@dataclass(frozen=True)
class Parameters(Settings):
    """
    Every parameter of the node; the ROS name of `depth_min` is `depth.min`.

    :raises ConfigError: two of them contradict each other.
    """

    target_rate: float = setting(
        0.0,
        "the network's input shrinks as far as needed to keep it, Hz; 0 = off",
        high=1e3,
        dynamic=True,
    )
    image_transport: str = setting(
        'raw', 'which of image and image/compressed is read', choices=('raw', 'compressed')
    )
    max_frame_age: float = setting(
        0.0, 'older frames are dropped and counted, s; 0 = off', high=FAR_M, dynamic=True
    )
    diagnostics_period: float = setting(
        1.0, 'between two messages on /diagnostics, s', low=0.1, high=60.0
    )
    autostart: bool = setting(True, 'the node configures and activates itself')


def declare(node: Node) -> None:
    """Declare the parameters with their descriptors; `read` judges their values."""
    for name, each, description in described(Parameters):
        node.declare_parameter(name, each.default, _descriptor(description, each.default))


def read(node: Node, changes: Mapping[str, Any] | None = None) -> Parameters:
    """
    Return the parameters as they are now, or would be with `changes`, by ROS name.

    :raises ConfigError: two of them contradict each other, or one is not allowed.
    """
    values = {name: node.get_parameter(name).value for name, _, _ in described(Parameters)}
    return update(Parameters(), values | dict(changes or {}))


def static_names() -> frozenset[str]:
    """Return the ROS names of the parameters that only an unconfigured node takes."""
    return frozenset(
        name for name, _, description in described(Parameters) if not description.dynamic
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
