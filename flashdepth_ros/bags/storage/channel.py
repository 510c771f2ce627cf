"""What every kind of storage returns: channels, their definitions, and messages."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import yaml

_TRANSIENT_LOCAL = (1, '1', 'transient_local')


@dataclass(frozen=True)
class Definition:
    """The definition of a message type as it is stored."""

    encoding: str
    """'ros2msg', 'ros2idl' or 'ros1msg'; anything else cannot be parsed."""
    text: str
    digest: str = ''
    """The type's RIHS01 hash; '': not stored."""


@dataclass(frozen=True)
class Channel:
    """A topic with one type and one serialization in one recording."""

    topic: str
    type: str
    encoding: str = 'cdr'
    """The serialization of its messages: 'cdr', 'ros1', or another that cannot be decoded."""
    definition: Definition | None = None
    latched: bool = False
    """Whether late subscribers received the last message."""


class StoredMessage(NamedTuple):
    """One message as stored, decompressed."""

    channel: Channel
    stamp_ns: int
    data: bytes


class Storage(Protocol):
    """One open file of a recording."""

    @property
    def channels(self) -> Sequence[Channel]:
        """Return all channels, with or without messages."""

    @property
    def counts(self) -> Mapping[Channel, int]:
        """Return the messages of each channel as the file states, or as counted."""

    @property
    def damage(self) -> list[str]:
        """Return what could not be read so far; reading messages may find more."""

    @property
    def span_ns(self) -> tuple[int, int] | None:
        """Return the time of the first and of the last message; None: no messages."""

    def messages(self, wanted: Collection[Channel]) -> Iterator[StoredMessage]:
        """Yield the readable messages of these channels by time of recording."""

    def close(self) -> None:
        """Close the file."""


def is_latched(qos_profiles: str) -> bool:
    """Return whether any of the stored QoS profiles (YAML) has the durability transient local."""
    try:
        profiles = yaml.safe_load(qos_profiles) or []
    except yaml.YAMLError:
        return False
    if not isinstance(profiles, list):
        return False
    return any(
        isinstance(profile, dict) and profile.get('durability') in _TRANSIENT_LOCAL
        for profile in profiles
    )
