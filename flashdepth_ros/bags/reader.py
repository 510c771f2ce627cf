"""Read a recording in any supported format as topics and CDR records, in recorded order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
import struct
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.interfaces import Connection, ConnectionExtRosbag1, Nodetype, QosDurability
from rosbags.rosbag1 import ReaderError as Reader1Error
from rosbags.rosbag2 import Reader as Reader2
from rosbags.rosbag2 import ReaderError as Reader2Error
from rosbags.serde import SerdeError
from rosbags.typesys import TypesysError

from flashdepth_ros.bags.build import jazzy
from flashdepth_ros.bags.ros1 import Ros1Converter, ros2_name
from flashdepth_ros.errors import BagError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from types import TracebackType

    from rosbags.typesys.store import Typestore

#: The exceptions that rosbags and the libraries it uses raise for invalid data.
_READ_ERRORS = (
    AnyReaderError,
    Reader1Error,
    Reader2Error,
    SerdeError,
    TypesysError,
    apsw.Error,
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
    zstd.ZstdError,
)


@dataclass(frozen=True)
class Topic:
    """A topic of a recording; `latched`: late subscribers receive the last message."""

    name: str
    type: str
    count: int
    latched: bool

    def __str__(self) -> str:
        return f'{self.name} ({self.type}, {self.count} messages)'


class Record(NamedTuple):
    """One recorded message: CDR bytes, for every bag format, and the time of recording."""

    topic: str
    type: str
    stamp_ns: int
    data: bytes


class BagReader:
    """
    Reads rosbag2 folders, single .mcap and .db3 files, and ROS 1 .bag files.

    A context manager. A problem with the recording raises BagError, when the bag is opened or
    when the damaged record is reached; the records before it are yielded first.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.topics: tuple[Topic, ...] = ()
        self._bag: AnyReader | None = None
        self._ros1: Ros1Converter | None = None
        self._closing = ExitStack()

    def __enter__(self) -> BagReader:
        self._check_path()
        with ExitStack() as stack, self._bag_errors('cannot be opened'):
            bag = stack.enter_context(AnyReader([self.path], default_typestore=jazzy()))
            self.topics = tuple(_topics(bag.connections))
            if not sum(topic.count for topic in self.topics):
                raise BagError(
                    f'{self.path}: holds no messages; check that its topics had publishers'
                )
            self._ros1 = None if bag.is2 else Ros1Converter(bag.typestore)
            self._bag, self._closing = bag, stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bag = None
        self._closing.close()

    @property
    def duration_ns(self) -> int:
        """Return the time from the first record to the last."""
        # rosbags counts up to the nanosecond after the last message.
        return self._open_bag.duration - 1

    @property
    def custom_data(self) -> dict[str, str]:
        """Return the custom data in the metadata of a rosbag2 folder; empty for other formats."""
        reader = self._open_bag.readers[0]
        return dict(reader.storage.metadata.custom or {}) if isinstance(reader, Reader2) else {}

    def typestore(self, type_name: str) -> Typestore:
        """
        Return the typestore that defines this type: that of the bag, else that of Jazzy.

        :raises BagError: neither defines the type.
        """
        bag = self._open_bag.typestore if self._ros1 is None else self._ros1.typestore
        for store in (bag, jazzy()):
            if type_name in store.fielddefs:
                return store
        raise BagError(
            f'{self.path}: message type {type_name!r} is defined neither in the bag nor in '
            'ROS 2 Jazzy; record to MCAP, which stores message definitions'
        )

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

        :raises BagError: a topic does not exist, or the recording is damaged; raised after the
            records before the damage.
        """
        names = {self.topic(name).name for name in topics}
        chosen = [c for c in self._open_bag.connections if not names or c.topic in names]
        with self._bag_errors('is damaged'):
            for connection, stamp_ns, data in self._open_bag.messages(chosen):
                if self._ros1 is not None:
                    data = self._ros1.to_cdr(data, connection.msgtype)
                yield Record(connection.topic, ros2_name(connection.msgtype), stamp_ns, data)

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
    def _open_bag(self) -> AnyReader:
        if self._bag is None:
            raise BagError(f"{self.path}: is not open; open it by 'with BagReader(path) as bag'")
        return self._bag

    def _check_path(self) -> None:
        if not self.path.exists():
            raise BagError(f'{self.path}: no such bag; give a rosbag2 folder, .mcap, .db3 or .bag')
        if self.path.is_dir() and not (self.path / 'metadata.yaml').exists():
            raise BagError(
                f'{self.path}: no metadata.yaml: the recorder was killed or this is not a bag; '
                f"try 'ros2 bag reindex {self.path}', or give the .mcap or .db3 file inside"
            )

    @contextmanager
    def _bag_errors(self, problem: str) -> Iterator[None]:
        """Raise read errors as BagError."""
        try:
            yield
        except _READ_ERRORS as error:
            reason = ' '.join(str(error).split()) or type(error).__name__
            raise BagError(f'{self.path}: {problem}: {reason}') from error


def _topics(connections: list[Connection]) -> Iterator[Topic]:
    """Yield one topic for each name and type, in the order of their first connections."""
    groups: dict[tuple[str, str], list[Connection]] = {}
    for connection in connections:
        key = (connection.topic, ros2_name(connection.msgtype))
        groups.setdefault(key, []).append(connection)
    for (name, type_name), group in groups.items():
        count = sum(connection.msgcount for connection in group)
        yield Topic(name, type_name, count, latched=any(map(_is_latched, group)))


def _is_latched(connection: Connection) -> bool:
    if isinstance(connection.ext, ConnectionExtRosbag1):
        return bool(connection.ext.latching)
    return any(
        qos.durability == QosDurability.TRANSIENT_LOCAL
        for qos in connection.ext.offered_qos_profiles
    )
