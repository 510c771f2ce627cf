"""The message types of a recording, parsed one by one when they are used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rosbags.interfaces import Nodetype
from rosbags.typesys import (
    Stores,
    TypesysError,
    get_types_from_idl,
    get_types_from_msg,
    get_typestore,
)

from flashdepth_ros.bags.build import jazzy
from flashdepth_ros.bags.storage import Channel, Definition
from flashdepth_ros.errors import BagError

if TYPE_CHECKING:
    from rosbags.interfaces.typing import Typesdict
    from rosbags.typesys.store import Typestore

_PARSE_ERRORS = (TypesysError, LookupError, ValueError, RecursionError, AssertionError)
_SEPARATOR = '=' * 80 + '\n'
_IDL_HEAD = 'IDL: '


class Definitions:
    """The definitions that the channels of a recording bring, and those of ROS 2 Jazzy."""

    def __init__(self, channels: Iterable[Channel]) -> None:
        self._stored = {each.type: each.definition for each in channels if each.definition}
        self._stores: dict[str, Typestore] = {}

    def store(self, type_name: str) -> Typestore:
        """
        Return a typestore with this type and all that it is made of.

        The recording's own definition goes first, then Jazzy's.

        :raises BagError: neither defines the type.
        """
        if type_name not in self._stores:
            self._stores[type_name] = self._parse(type_name)
        return self._stores[type_name]

    def can_decode(self, channel: Channel) -> bool:
        """Return whether messages of a channel can be decoded, as far as can be told unparsed."""
        if channel.encoding not in ('cdr', 'ros1'):
            return False
        stored = self._stored.get(channel.type)
        known = stored is not None and stored.encoding in ('ros2msg', 'ros2idl', 'ros1msg')
        return known or channel.type in jazzy().fielddefs

    def _parse(self, type_name: str) -> Typestore:
        problem = 'is defined neither in the bag nor in ROS 2 Jazzy'
        stored = self._stored.get(type_name)
        if stored is not None:
            try:
                return _registered(_types(stored, type_name), type_name)
            except (
                TypesysError,
                LookupError,
                ValueError,
                RecursionError,
                AssertionError,
            ) as error:
                reason = ' '.join(str(error).split()) or type(error).__name__
                problem = f'has a definition in the bag that cannot be parsed ({reason})'
        if type_name in jazzy().fielddefs:
            return jazzy()
        raise BagError(
            f'message type {type_name!r} {problem}; record to MCAP, which stores message '
            'definitions, on a machine that has the package of the type'
        )


def _types(definition: Definition, type_name: str) -> Typesdict:
    text = definition.text
    if definition.encoding != 'ros2idl':
        return get_types_from_msg(text, type_name)
    types: Typesdict = {}
    parts = text.split(_SEPARATOR)[1:] if text.startswith(_SEPARATOR + _IDL_HEAD) else [text]
    for part in parts:
        types.update(get_types_from_idl(part.split('\n', 1)[1] if part is not text else part))
    return types


def _registered(types: Typesdict, type_name: str) -> Typestore:
    """Return a store with a type and its parts; Jazzy completes what the definition lacks."""
    store = get_typestore(Stores.EMPTY)
    needed: Typesdict = {}
    open_names = [type_name]
    while open_names:
        name = open_names.pop()
        if name not in needed and name not in store.fielddefs:
            needed[name] = types[name] if name in types else jazzy().fielddefs[name]
            open_names += [part for _, field in needed[name][1] for part in _parts(field)]
    store.register(needed)
    return store


def _parts(field: Any) -> list[str]:
    """Return the message types that a field is made of."""
    kind, value = field
    if kind == Nodetype.NAME:
        return [value]
    return [] if kind == Nodetype.BASE else _parts(value[0])
