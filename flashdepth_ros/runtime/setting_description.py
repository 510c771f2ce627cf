"""Describe settings in the fields of a dataclass: text, limits, ROS name; check their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
import re
from typing import Any, TypeVar

from flashdepth_ros.errors import ConfigError

_DEVICE = re.compile(r'auto|cpu|cuda(:\d+)?|intel_gpu')
SettingsT = TypeVar('SettingsT')
_DOTTED = (
    *('camera_info', 'camera', 'inference', 'image', 'depth', 'points', 'color', 'reset'),
    *('diagnostics', 'scale'),
)
_UNDOTTED = ('image_transport',)
"""As the nodes of the package image_transport name it."""


@dataclass(frozen=True)
class Description:
    """Description and allowed values of one setting."""

    text: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    """Range, including both ends; no range if `high` is 0."""
    dynamic: bool = False
    """True: may change at any time; False: only before the node is configured."""
    at_start: bool = False
    """Whether it is fixed once the node exists."""
    shared: bool = False
    """Whether it is the same for all cameras of a node."""


def setting(default: Any, text: str, **limits: Any) -> Any:
    """Return a field of a dataclass of settings, with its default and description."""
    return field(default=default, metadata={'description': Description(text, **limits)})


def ros_name(name: str) -> str:
    """Return the ROS name of a field: `depth.min` for `depth_min`."""
    group = next((each for each in _DOTTED if name.startswith(f'{each}_')), '')
    if not group or name in _UNDOTTED:
        return name
    return f'{group}.{name.removeprefix(f"{group}_")}'


def iter_settings(kind: type[Any]) -> Iterator[tuple[str, Field[Any], Description]]:
    """Yield ROS name, field and description of every setting."""
    for each in fields(kind):
        yield ros_name(each.name), each, each.metadata['description']


def update(settings: SettingsT, changes: Mapping[str, Any]) -> SettingsT:
    """
    Return the settings with changes by ROS name; ignore unknown names.

    :raises ConfigError: a value is not allowed; the message lists the allowed values.
    """
    changed = {}
    for name, each, description in iter_settings(type(settings)):
        if name in changes:
            value = _typed(name, changes[name], type(each.default))
            _check(name, value, description)
            changed[each.name] = value
    return replace(settings, **changed)  # type: ignore[type-var]


def _typed(name: str, value: Any, expected: type) -> Any:
    """Return the value with the type of its default; convert an int to a float if needed."""
    if type(value) is expected:
        return value
    if expected is float and type(value) is int:
        return float(value)
    if expected is tuple:
        # ROS has no value for an empty list.
        return (value,) if isinstance(value, str) else tuple(value or ())
    if expected is str and type(value) is bool:
        # YAML reads the words true and false as this.
        return str(value).lower()
    raise ConfigError(f'{name} {value!r} is not allowed; expected type {expected.__name__}')


def _check(name: str, value: Any, description: Description) -> None:
    if description.choices and value not in description.choices:
        allowed = ', '.join(description.choices)
        raise ConfigError(f'{name} {value!r} is not allowed; expected one of {allowed}')
    if name == 'device' and not _DEVICE.fullmatch(value):
        raise ConfigError(
            f'device {value!r} is not allowed; expected auto, cpu, cuda, cuda:N or intel_gpu'
        )
    if description.high and not description.low <= value <= description.high:
        raise ConfigError(
            f'{name} {value} is not allowed; expected {description.low:g} to {description.high:g}'
        )
