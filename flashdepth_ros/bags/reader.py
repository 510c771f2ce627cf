"""Read a recording in any supported format as topics and CDR records, in recorded order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
import sqlite3
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from rosbags.interfaces import Nodetype
from rosbags.rosbag1 import ReaderError as Ros1Error
from rosbags.serde import SerdeError
from rosbags.typesys import TypesysError

from flashdepth_ros.bags.definitions import Definitions
from flashdepth_ros.bags.ros1 import Ros1Converter, ros2_name
from flashdepth_ros.bags.storage import Channel, Definition, Recording
from flashdepth_ros.errors import BagError

if TYPE_CHECKING:
    from types import TracebackType

    from rosbags.typesys.store import Typestore

#: The exceptions that rosbags and the libraries it uses raise for invalid data.
_READ_ERRORS = (
    Ros1Error,
    SerdeError,
    TypesysError,
    sqlite3.Error,
    OSError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True)
class Topic:
    """A topic of a recording; `latched`: late subscribers receive the last message."""

    name: str
    type: str
    count: int
    latched: bool = False

    def __str__(self) -> str:
        return f'{self.name} ({self.type}, {self.count} messages)'


class Record(NamedTuple):
    """One recorded message: its bytes (CDR if it can be decoded) and the time of recording."""

    topic: str
    type: str
    stamp_ns: int
    data: bytes


class BagReader:
    """
    Reads rosbag2 folders, single .mcap and .db3 files, and ROS 1 .bag files.

    A context manager. What is readable is read, with or without index and metadata.yaml. Then a
    problem with the recording raises BagError: when it is opened if nothing can be read, else
    after the last record.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.topics: tuple[Topic, ...] = ()
        self._recording: Recording | None = None

    def __enter__(self) -> BagReader:
        if not self.path.exists():
            raise BagError(f'{self.path}: no such bag; give a rosbag2 folder, .mcap, .db3 or .bag')
        with self._bag_errors('cannot be opened'):
            self._recording = Recording(self.path)
        self.topics = tuple(self._topics())
        if not sum(topic.count for topic in self.topics):
            problem = '; '.join(self._recording.damage) or 'check that its topics had publishers'
            self._recording.close()
            raise BagError(f'{self.path}: holds no messages; {problem}')
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open_recording.close()
        self._recording = None

    @property
    def duration_ns(self) -> int:
        """Return the time from the first record to the last."""
        first_ns, last_ns = self._open_recording.span_ns
        return last_ns - first_ns

    @property
    def custom_data(self) -> dict[str, str]:
        """Return the custom data in the metadata of a rosbag2 folder; empty for other formats."""
        return self._open_recording.metadata.custom_data

    @property
    def undecodable(self) -> tuple[Topic, ...]:
        """Return the topics of whose messages only the bytes can be had."""
        types = {
            each.type
            for each in self._open_recording.channels
            if not self._definitions.can_decode(each)
        }
        return tuple(topic for topic in self.topics if topic.type in types)

    def typestore(self, type_name: str) -> Typestore:
        """
        Return the typestore that defines this type: that of the bag, else that of Jazzy.

        :raises BagError: neither defines the type.
        """
        try:
            if self._is_ros1:
                return self._ros1.typestore(type_name)
            return self._definitions.store(type_name)
        except BagError as error:
            raise BagError(f'{self.path}: {error}') from error

    def definition(self, type_name: str) -> Definition | None:
        """Return the definition of a type as the bag stores it; None if it stores none."""
        found = (each for each in self._open_recording.channels if each.type == type_name)
        return next((each.definition for each in found if each.encoding != 'ros1'), None)

    def topic(self, name: str) -> Topic:
        """
        Return the topic of this name; the leading slash is optional.

        :raises BagError: the bag has no such topic.
        """
        for topic in self.topics:
            if topic.name.lstrip('/') == name.lstrip('/'):
                return topic
        known = ', '.join(map(str, self.topics))
        raise BagError(f'{self.path}: no topic {name!r}; the bag has {known}')

    def records(self, *topics: str) -> Iterator[Record]:
        """
        Yield the records of these topics, of all topics if none is given, by time of recording.

        :raises BagError: a topic does not exist; or, after the last record, the recording is
            damaged or holds fewer messages of these topics than it states.
        """
        recording = self._open_recording
        names = {self.topic(name).name for name in topics}
        chosen = {each for each in recording.channels if not names or each.topic in names}
        read: Counter[str] = Counter()
        with self._bag_errors('is damaged'):
            for channel, stamp_ns, data in recording.messages(chosen):
                read[channel.topic] += 1
                if channel.encoding == 'ros1':
                    data = self._ros1.to_cdr(data, channel.type)
                yield Record(channel.topic, ros2_name(channel.type), stamp_ns, data)
        if problems := [*recording.damage, *self._missing(chosen, read)]:
            raise BagError(f'{self.path}: is damaged: {"; ".join(problems)}')

    def message(self, record: Record) -> Any:
        """
        Return the decoded message with ROS 2 field names and numpy arrays.

        :raises BagError: the type is not defined, or the bytes are not a valid message.
        """
        store = self.typestore(record.type)
        with self._bag_errors(f'cannot decode a message on {record.topic} as {record.type}'):
            return store.deserialize_cdr(record.data, record.type)

    def header_stamp_ns(self, record: Record) -> int | None:
        """Return the header stamp without decoding the other fields; None without a header."""
        fields = self.typestore(record.type).fielddefs[record.type][1]
        if not fields or fields[0][1] != (Nodetype.NAME, 'std_msgs/msg/Header'):
            return None
        with self._bag_errors(f'cannot decode a message on {record.topic} as {record.type}'):
            sec, nanosec = struct.unpack_from('<iI' if record.data[1] else '>iI', record.data, 4)
        return int(sec) * 10**9 + int(nanosec)

    @property
    def _open_recording(self) -> Recording:
        if self._recording is None:
            raise BagError(f"{self.path}: is not open; open it by 'with BagReader(path) as bag'")
        return self._recording

    @cached_property
    def _definitions(self) -> Definitions:
        return Definitions(self._open_recording.channels)

    @cached_property
    def _ros1(self) -> Ros1Converter:
        return Ros1Converter(self._definitions)

    @property
    def _is_ros1(self) -> bool:
        return any(channel.encoding == 'ros1' for channel in self._open_recording.channels)

    def _topics(self) -> Iterator[Topic]:
        """Yield one topic for each name and type, in the order of their first channels."""
        counts = self._open_recording.counts
        groups: dict[tuple[str, str], list[Channel]] = {}
        for channel in self._open_recording.channels:
            groups.setdefault((channel.topic, ros2_name(channel.type)), []).append(channel)
        for (name, type_name), group in groups.items():
            count = sum(counts[channel] for channel in group)
            yield Topic(name, type_name, count, any(channel.latched for channel in group))

    def _missing(self, chosen: set[Channel], read: Counter[str]) -> Iterator[str]:
        """Yield one text for each topic with fewer messages than the recording states."""
        recording = self._open_recording
        stated: Counter[str] = Counter()
        for channel in chosen:
            stated[channel.topic] += recording.counts[channel]
        for name, count in stated.items():
            count = max(count, recording.metadata.counts[name])
            if read[name] < count:
                yield f'{read[name]} of the {count} messages on {name} can be read'

    @contextmanager
    def _bag_errors(self, problem: str) -> Iterator[None]:
        """Raise read errors as BagError."""
        try:
            yield
        except _READ_ERRORS as error:
            reason = ' '.join(str(error).split()) or type(error).__name__
            raise BagError(f'{self.path}: {problem}: {reason}') from error
