"""Write a rosbag2 recording; it appears at its path only when it is complete."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
import os
from pathlib import Path
import shutil
import sqlite3
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

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

# Version 9 stores the QoS as a list, which readers of version 8 and older reject.
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


_RosbagsSqlite = Writer.STORAGE_PLUGINS[StoragePlugin.SQLITE3]


class _SqliteStorage(_RosbagsSqlite):  # type: ignore[misc,valid-type]
    """The SQLite storage of rosbags, which puts a path into a URI without quoting it."""

    def __init__(self, path: Path, compression: CompressionMode) -> None:
        super().__init__(Path(quote(str(path))), compression)
        self.path = path / f'{path.name}.db3'


class _RosbagsWriter(Writer):
    STORAGE_PLUGINS = {**Writer.STORAGE_PLUGINS, StoragePlugin.SQLITE3: _SqliteStorage}  # noqa: RUF012


class BagWriter:
    """
    Writes a rosbag2 folder with embedded message definitions.

    A context manager. The bag is written to a hidden folder next to its path and moved there when
    the block ends without an error. If the block raises, the disk is full or the process dies, no
    bag appears at the path; the next writer for that path removes an incomplete one.
    """

    def __init__(
        self,
        path: Path | str,
        storage: Storage = 'mcap',
        compress: bool = False,
        overwrite: bool = False,
    ) -> None:
        """
        Store the options; no file is changed before the block is entered.

        :param compress: use zstd, for each chunk in MCAP and for each message in sqlite3.
        :param overwrite: replace an existing bag; anything that is not a bag is never replaced.
        """
        self.path = Path(path)
        self.overwrite = overwrite
        self._storage = storage
        self._compress = compress
        self._writer: Writer | None = None
        self._failure: BagError | None = None
        self._connections: dict[tuple[str, str], Connection] = {}

    def __enter__(self) -> BagWriter:
        try:
            self._check_destination()
            shutil.rmtree(self._unfinished, ignore_errors=True)
            self._unfinished.mkdir(parents=True)
            self._writer = self._create_writer()
        except (OSError, sqlite3.Error) as error:
            shutil.rmtree(self._unfinished, ignore_errors=True)
            raise BagError(f'{self.path}: cannot be created: {error}') from error
        return self

    def _create_writer(self) -> Writer:
        plugin = StoragePlugin[self._storage.upper()]
        # The files in a bag are named after its folder, so the folder has its final name already.
        inner = self._unfinished / self._final.name
        writer = _RosbagsWriter(inner, version=_METADATA_VERSION, storage_plugin=plugin)
        if self._compress:
            by_storage = plugin == StoragePlugin.MCAP
            mode = CompressionMode.STORAGE if by_storage else CompressionMode.MESSAGE
            writer.set_compression(mode, CompressionFormat.ZSTD)
        writer.open()
        return writer

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
                with self._write_errors():
                    writer.close()
                    self._move_into_place()
            else:
                with suppress(OSError, sqlite3.Error):
                    writer.abort()
        finally:
            shutil.rmtree(self._unfinished, ignore_errors=True)
        if kind is None and self._failure is not None:
            raise self._failure

    def set_custom_data(self, key: str, value: str) -> None:
        """Store a key and a value in the bag's metadata; `BagReader.custom_data` returns them."""
        self._open_writer.set_custom_data(key, value)

    def add_topic(
        self,
        name: str,
        type_name: str,
        typestore: Typestore | None = None,
        latched: bool = False,
    ) -> None:
        """
        Add a topic that needs other options than those `write_cdr` adds it with.

        :param typestore: the definition of a type that Jazzy lacks, from `BagReader.typestore`.
        :param latched: late subscribers receive the last message, as for /tf_static.
        :raises BagError: the typestore does not define the type.
        """
        store = jazzy() if typestore is None else typestore
        if type_name not in store.fielddefs:
            raise BagError(
                f'{self.path}: message type {type_name!r} is not in ROS 2 Jazzy; '
                'call add_topic with the typestore of its bag'
            )
        self._connections[name, type_name] = self._open_writer.add_connection(
            name,
            type_name,
            typestore=store,
            offered_qos_profiles=[_LATCHED] if latched else [],
        )

    def write(self, topic: str, message: Any, stamp_ns: int) -> None:
        """Write a message made by `build_message`, with this time of recording."""
        type_name = message.__msgtype__
        self.write_cdr(topic, type_name, jazzy().serialize_cdr(message, type_name), stamp_ns)

    def write_cdr(
        self, topic: str, type_name: str, data: bytes | memoryview, stamp_ns: int
    ) -> None:
        """
        Write a serialized message; add the topic if it is new.

        :raises BagError: it cannot be written. Leaving the block raises the error again.
        """
        if (topic, type_name) not in self._connections:
            self.add_topic(topic, type_name)
        with self._write_errors():
            self._open_writer.write(self._connections[topic, type_name], stamp_ns, data)

    @cached_property
    def _final(self) -> Path:
        """The path with a name, also if it ends in `..`."""
        return Path(os.path.abspath(self.path))  # noqa: PTH100 - does not resolve links

    @property
    def _unfinished(self) -> Path:
        return self._final.with_name(f'.{self._final.name}.unfinished')

    @property
    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise BagError(f"{self.path}: is not open; open it by 'with BagWriter(path) as bag'")
        return self._writer

    @contextmanager
    def _write_errors(self) -> Iterator[None]:
        """Raise write errors as BagError and store the error, so that no partial bag is kept."""
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            self._failure = BagError(
                f'{self.path}: cannot be written: {error}; the bag is removed'
            )
            raise self._failure from error

    def _check_destination(self) -> None:
        if not self.path.exists():
            return
        if not self.overwrite:
            raise BagError(f'{self.path}: already exists; give another name, or use --overwrite')
        if not (self.path / 'metadata.yaml').exists():
            raise BagError(f'{self.path}: is not a rosbag2 folder and will not be overwritten')

    def _move_into_place(self) -> None:
        if self.path.exists():
            self._final.rename(self._unfinished / 'replaced')
        (self._unfinished / self._final.name).rename(self._final)
