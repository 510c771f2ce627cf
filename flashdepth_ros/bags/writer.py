"""Write a rosbag2 recording that appears under its name only when it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
import shutil
import sqlite3
from typing import TYPE_CHECKING, Any, Literal

from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from flashdepth_ros.bags.build import jazzy
from flashdepth_ros.errors import BagError

if TYPE_CHECKING:
    from types import TracebackType

    from rosbags.typesys.store import Typestore

Storage = Literal['mcap', 'sqlite3']

# Version 9 spells the QoS as a list, which readers made for version 8 and before refuse.
_METADATA_VERSION: Literal[8] = 8
_UNLIMITED = QosTime(2147483647, 4294967295)
_LATCHED = Qos(
    QosHistory.KEEP_LAST,
    1,
    QosReliability.RELIABLE,
    QosDurability.TRANSIENT_LOCAL,
    _UNLIMITED,
    _UNLIMITED,
    QosLiveliness.AUTOMATIC,
    _UNLIMITED,
    False,
)


class BagWriter:
    """
    Writes a rosbag2 folder with embedded message definitions.

    A context manager. The bag grows in a hidden folder beside its place and is moved there when
    the block ends well; a block that raises, a disk that is full, or a process that dies leaves no
    bag under the name, and the next writer of that name clears what was left.
    """

    def __init__(
        self,
        path: Path | str,
        storage: Storage = 'mcap',
        compress: bool = False,
        overwrite: bool = False,
    ) -> None:
        """
        Remember what to do; nothing is touched before the block is entered.

        :param compress: zstd, by chunks in MCAP and by messages in sqlite3.
        :param overwrite: replace a bag of that name; anything that is no bag is never replaced.
        """
        self.path = Path(path)
        self.overwrite = overwrite
        self._storage = storage
        self._compress = compress
        self._unfinished = self.path.with_name(f'.{self.path.name}.unfinished')
        self._writer: Writer | None = None
        self._failure: BagError | None = None
        self._connections: dict[tuple[str, str], Connection] = {}

    def __enter__(self) -> BagWriter:
        self._refuse_to_replace()
        try:
            shutil.rmtree(self._unfinished, ignore_errors=True)
            self._unfinished.mkdir(parents=True)
        except OSError as error:
            raise BagError(f'{self.path}: cannot be written here: {error.strerror}') from error
        plugin = StoragePlugin[self._storage.upper()]
        # The files inside a bag carry its name, so it has that name from the start.
        inner = self._unfinished / self.path.name
        self._writer = Writer(inner, version=_METADATA_VERSION, storage_plugin=plugin)
        if self._compress:
            by_storage = plugin == StoragePlugin.MCAP
            mode = CompressionMode.STORAGE if by_storage else CompressionMode.MESSAGE
            self._writer.set_compression(mode, CompressionFormat.ZSTD)
        self._writer.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        writer, self._writer = self._open_writer, None
        self._connections.clear()
        try:
            if kind is None and self._failure is None:
                with self._writing():
                    writer.close()
                    self._put_in_place()
            else:
                with suppress(OSError, sqlite3.Error):
                    writer.abort()
        finally:
            shutil.rmtree(self._unfinished, ignore_errors=True)
        if kind is None and self._failure is not None:
            raise self._failure

    def note(self, key: str, value: str) -> None:
        """Keep a word about the bag in its metadata, where `BagReader.notes` finds it."""
        self._open_writer.set_custom_data(key, value)

    def add_topic(
        self,
        name: str,
        type_name: str,
        typestore: Typestore | None = None,
        latched: bool = False,
    ) -> None:
        """
        Add a topic by hand, where writing to it would not do.

        :param typestore: the definitions of a type that Jazzy lacks, from `BagReader.typestore`.
        :param latched: late subscribers are to get its last message, as for /tf_static.
        :raises BagError: for a type that is not defined there.
        """
        store = jazzy() if typestore is None else typestore
        if type_name not in store.fielddefs:
            raise BagError(
                f'{self.path}: message type {type_name!r} is not in ROS 2 Jazzy; '
                'add the topic with the typestore of the bag it comes from'
            )
        self._connections[name, type_name] = self._open_writer.add_connection(
            name,
            type_name,
            typestore=store,
            offered_qos_profiles=[_LATCHED] if latched else [],
        )

    def write(self, topic: str, message: Any, stamp_ns: int) -> None:
        """Write a message of `build_message` as recorded at this time."""
        type_name = message.__msgtype__
        self.write_cdr(topic, type_name, jazzy().serialize_cdr(message, type_name), stamp_ns)

    def write_cdr(
        self, topic: str, type_name: str, data: bytes | memoryview, stamp_ns: int
    ) -> None:
        """
        Write a serialized message; the topic is added if it is new.

        :raises BagError: it cannot be written; leaving the block then raises it again.
        """
        if (topic, type_name) not in self._connections:
            self.add_topic(topic, type_name)
        with self._writing():
            self._open_writer.write(self._connections[topic, type_name], stamp_ns, data)

    @property
    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise BagError(f"{self.path}: is not open; use it as in 'with BagWriter(path) as bag'")
        return self._writer

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Remember a failure: what was cut off in the middle must not become a bag."""
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            self._failure = BagError(f'{self.path}: cannot be written: {error}; no bag is left')
            raise self._failure from error

    def _refuse_to_replace(self) -> None:
        if not self.path.exists():
            return
        if not self.overwrite:
            raise BagError(f'{self.path}: exists already; give another name or allow overwriting')
        if not (self.path / 'metadata.yaml').exists():
            raise BagError(f'{self.path}: is no rosbag2 folder and will not be overwritten')

    def _put_in_place(self) -> None:
        if self.path.exists():
            self.path.rename(self._unfinished / 'replaced')
        (self._unfinished / self.path.name).rename(self.path)
