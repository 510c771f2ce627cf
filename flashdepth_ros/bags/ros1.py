"""Convert ROS 1 messages to ROS 2, so that the rest of the package handles one format."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from rosbags.convert.converter import STATIC_MSGTYPE_RENAMES, is_same_wireformat, migrate_bytes
from rosbags.typesys import Stores, get_typestore

from flashdepth_ros.bags.build import jazzy

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosbags.typesys.store import Typestore

    from flashdepth_ros.bags.definitions import Definitions


def ros2_name(type_name: str) -> str:
    """Return the ROS 2 name of a ROS 1 type; rosbags writes both as 'package/msg/Name'."""
    return STATIC_MSGTYPE_RENAMES.get(type_name, type_name)


class Ros1Converter:
    """
    Converts ROS 1 messages to CDR, with the definitions of Jazzy or else of their bag.

    Each type is parsed when it is first used.

    :param definitions: the types of the ROS 1 bag.
    """

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._conversion = cache(self._select_conversion)
        self.typestore = cache(self._make_typestore)

    def to_cdr(self, data: bytes, type_name: str) -> bytes:
        """
        Return the CDR bytes of a message of this ROS 1 type.

        :raises BagError: the type is not defined.
        """
        return bytes(self._conversion(type_name)(data))

    def _make_typestore(self, type_name: str) -> Typestore:
        """Return a store with the ROS 2 type of this name, for its CDR messages."""
        if type_name in jazzy().fielddefs:
            return jazzy()
        source = self._definitions.store(type_name)
        target = get_typestore(Stores.ROS2_JAZZY)
        missing = source.fielddefs.keys() - target.fielddefs.keys()
        target.register({name: source.fielddefs[name] for name in sorted(missing)})
        return target

    def _select_conversion(self, type_name: str) -> Callable[[bytes], memoryview]:
        new_name = ros2_name(type_name)
        source, target = self._definitions.store(type_name), self.typestore(new_name)
        if is_same_wireformat(source, target, type_name, new_name):
            return partial(target.ros1_to_cdr, typename=new_name)
        return partial(
            migrate_bytes, source, target, type_name, new_name, {}, src_is2=False, dst_is2=True
        )
