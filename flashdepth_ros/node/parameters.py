"""The node's parameters: the common settings and the node's own, and their ROS descriptors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import re
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.node.camera_scope import CameraScope
from flashdepth_ros.runtime.scale import ScaleSettings
from flashdepth_ros.runtime.setting_description import Description, iter_settings, setting, update
from flashdepth_ros.runtime.settings import FAR_M

_CAMERA = re.compile('[A-Za-z][A-Za-z0-9_]*')


@dataclass(frozen=True)
class Parameters(ScaleSettings):
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
        'auto',
        'raw: subscribe to image; compressed: to image/compressed; auto: to what is published, to '
        'raw images if both are',
        choices=('auto', 'raw', 'compressed'),
    )
    depth_png_level: int = setting(
        1,
        'PNG compression of depth/image/compressedDepth: 0 is fastest, 9 smallest',
        high=9,
        dynamic=True,
    )
    color_jpeg_quality: int = setting(
        95, 'JPEG quality of depth/image_color/compressed', low=1, high=100, dynamic=True
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
        1.0, 'period of the /diagnostics messages, s', low=0.1, high=60.0, shared=True
    )
    cameras: tuple[str, ...] = setting(
        (),
        'names of several cameras: each has topics NAME/image ..., and parameters of its own '
        'such as NAME.depth.scale; empty: one camera without a name',
        at_start=True,
        shared=True,
    )
    batching: str = setting(
        'auto',
        'run the images of several cameras that wait as a batch; auto: on a GPU, if that was '
        'faster at start',
        choices=('auto', 'true', 'false'),
        shared=True,
    )
    autostart: bool = setting(True, 'configure and activate the node at start', shared=True)


@dataclass(frozen=True)
class CameraParameters:
    """The parameters of the node, and those of each camera, in their order."""

    common: Parameters
    cameras: tuple[Parameters, ...]


def declare(node: Node) -> list[CameraScope]:
    """
    Declare the parameters with their descriptors; `read` validates their values.

    :return: the cameras; those with a name have parameters of their own, which are not set.
    :raises ConfigError: the name of a camera cannot be used.
    """
    for name, each, description in iter_settings(Parameters):
        default = list(each.default) if isinstance(each.default, tuple) else each.default
        node.declare_parameter(name, default, _descriptor(description, each.default))
    cameras = read_cameras(node.get_parameter('cameras').value)
    scopes = [CameraScope(node, camera) for camera in cameras or ('',)]
    for scope in scopes if cameras else ():
        for name, each, description in iter_settings(Parameters):
            if not description.shared:
                descriptor = _descriptor(description, each.default)
                descriptor.dynamic_typing = True
                node.declare_parameter(scope.parameter(name), None, descriptor)
    return scopes


def read_cameras(value: Any) -> tuple[str, ...]:
    """
    Check the value of `cameras`.

    :raises ConfigError: it is not a list of different names that topics can begin with.
    """
    known = {name.partition('.')[0] for name, _, _ in iter_settings(Parameters)}
    names = [value] if isinstance(value, str) else list(value or ())
    for name in names:
        if not isinstance(name, str) or not _CAMERA.fullmatch(name) or name in known:
            raise ConfigError(
                f'cameras: {name!r} is not allowed; expected names of letters, digits and '
                'underscores that begin with a letter and that no parameter begins with'
            )
    if len(set(names)) < len(names):
        raise ConfigError(f'cameras: {", ".join(names)}; expected different names')
    return tuple(names)


def read(
    node: Node, scopes: Sequence[CameraScope], changes: Mapping[str, Any] | None = None
) -> CameraParameters:
    """
    Return the current parameters, updated with `changes` by ROS name.

    :raises ConfigError: a value is not allowed, or two parameters contradict each other.
    """
    changes = changes or {}

    def value(name: str) -> Any:
        return changes[name] if name in changes else node.get_parameter(name).value

    settings = list(iter_settings(Parameters))
    common = update(Parameters(), {name: value(name) for name, _, _ in settings})
    cameras = []
    for scope in scopes:
        own = {
            name: value(scope.parameter(name))
            for name, _, description in settings
            if scope.camera and not description.shared
        }
        try:
            given = {name: each for name, each in own.items() if each is not None}
            cameras.append(update(common, given))
        except ConfigError as error:
            raise ConfigError(f'camera {scope.camera}: {error}') from error
    return CameraParameters(common, tuple(cameras))


def common_names(scopes: Sequence[CameraScope]) -> dict[str, str]:
    """Return what a user may take for parameters of single cameras, and the names they have."""
    return {
        scope.parameter(name): name
        for scope in scopes
        for name, _, description in iter_settings(Parameters)
        if scope.camera and description.shared
    }


def is_static(name: str, scopes: Sequence[CameraScope]) -> bool:
    """Return whether a parameter, by its ROS name, can only be set before configure."""
    return any(
        name in (known, *(scope.parameter(known) for scope in scopes))
        for known, _, description in iter_settings(Parameters)
        if not (description.dynamic or description.at_start)
    )


def _descriptor(description: Description, default: Any) -> ParameterDescriptor:
    # A float parameter accepts an integer (`depth.max:=20`), one with the choice 'true' a bool;
    # `read` refuses other types.
    descriptor = ParameterDescriptor(
        description=description.text,
        read_only=description.at_start,
        dynamic_typing=isinstance(default, float | tuple) or 'true' in description.choices,
    )
    constraints = []
    if description.choices:
        constraints.append(f'one of {", ".join(description.choices)}')
    if description.at_start:
        constraints.append('set it at the start of the node')
    elif not description.dynamic:
        constraints.append('set it before the node is configured')
    descriptor.additional_constraints = '; '.join(constraints)
    low, high = description.low, description.high
    if high and isinstance(default, float):
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    elif high:
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return descriptor
