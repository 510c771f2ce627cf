"""Build ROS 2 messages from Python values, with the message definitions of ROS 2 Jazzy."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from rosbags.convert.converter import default_message
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from flashdepth_ros.errors import InputError


@cache
def jazzy() -> Typestore:
    """Return the message types of ROS 2 Jazzy; shared, so do not register types in it."""
    return get_typestore(Stores.ROS2_JAZZY)


def stamp(stamp_ns: int) -> dict[str, int]:
    """Return the fields of builtin_interfaces/Time."""
    return dict(zip(('sec', 'nanosec'), divmod(stamp_ns, 10**9), strict=True))


def header(stamp_ns: int, frame_id: str) -> dict[str, Any]:
    """Return the fields of std_msgs/Header."""
    return {'stamp': stamp(stamp_ns), 'frame_id': frame_id}


def build_message(type_name: str, **fields: Any) -> Any:
    """
    Return a message with these fields; all other fields are zero, empty or false.

    A nested message is a dict of its fields. An array is anything that numpy accepts, uint8[]
    also bytes:
    `build_message('sensor_msgs/msg/Image', header=header(0, 'camera'), height=1, data=b'...')`.

    :raises InputError: Jazzy has no such type or field, or an array has the wrong length.
    """
    if type_name not in jazzy().fielddefs:
        raise InputError(
            f'message type {type_name!r} is not in ROS 2 Jazzy; '
            "give the full name, such as 'sensor_msgs/msg/Image'"
        )
    message = default_message(jazzy(), type_name)
    known = dict(jazzy().fielddefs[type_name][1])
    for name, value in fields.items():
        if name not in known:
            raise InputError(f'{type_name} has no field {name!r}; it has {", ".join(known)}')
        setattr(message, name, _value(f'{type_name}.{name}', known[name], value))
    return message


def _value(name: str, description: Any, value: Any) -> Any:
    kind, detail = description
    if kind == Nodetype.BASE:
        return value
    if kind == Nodetype.NAME:
        return build_message(detail, **value) if isinstance(value, Mapping) else value
    element, size = detail
    if kind == Nodetype.ARRAY and len(value) != size:
        raise InputError(f'{name} has {len(value)} elements; expected exactly {size}')
    if element[0] == Nodetype.NAME or element[1][0] == 'string':
        return [_value(name, element, item) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return np.frombuffer(value, dtype=np.uint8)
    return np.ascontiguousarray(value, dtype=element[1][0])
