"""Convert ROS 1 messages to ROS 2, so that the rest of the package handles one format."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from rosbags.convert.converter import STATIC_MSGTYPE_RENAMES, is_same_wireformat, migrate_bytes
from rosbags.typesys import Stores, get_typestore

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosbags.typesys.store import Typestore


def ros2_name(type_name: str) -> str:
    """Return the ROS 2 name of a ROS 1 type; rosbags writes both as 'package/msg/Name'."""
    return STATIC_MSGTYPE_RENAMES.get(type_name, type_name)


class Ros1Converter:
    """Converts ROS 1 messages to CDR, with the definitions of Jazzy or else of their bag."""

    def __init__(self, source: Typestore) -> None:
        """
        Register the types that Jazzy does not have.

        :param source: the types of the ROS 1 bag.
        """
        self.source = source
        self.typestore = get_typestore(Stores.ROS2_JAZZY)
        missing = source.fielddefs.keys() - self.typestore.fielddefs.keys()
        self.typestore.register({name: source.fielddefs[name] for name in sorted(missing)})
        self._conversion = cache(self._select_conversion)

    def to_cdr(self, data: bytes, type_name: str) -> bytes:
        """Return the CDR bytes of a message of this ROS 1 type."""
        return bytes(self._conversion(type_name)(data))

    def _select_conversion(self, type_name: str) -> Callable[[bytes], memoryview]:
        target = ros2_name(type_name)
        if is_same_wireformat(self.source, self.typestore, type_name, target):
            return partial(self.typestore.ros1_to_cdr, typename=target)
        return partial(
            migrate_bytes,
            self.source,
            self.typestore,
            type_name,
            target,
            {},
            src_is2=False,
            dst_is2=True,
        )
