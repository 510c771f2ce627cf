"""A recording of one or more files: a rosbag2 folder, or a single file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
import heapq
from pathlib import Path
from tempfile import TemporaryDirectory

from flashdepth_ros.bags.storage.channel import Channel, Storage, StoredMessage
from flashdepth_ros.bags.storage.mcap_file import McapFile
from flashdepth_ros.bags.storage.metadata import FILE_NAME, Metadata, read_metadata
from flashdepth_ros.bags.storage.ros1_file import Ros1File
from flashdepth_ros.bags.storage.sqlite_file import SqliteFile
from flashdepth_ros.bags.storage.zstd import SUFFIX, decompress, decompress_file, is_compressed

_STORAGES: Mapping[str, Callable[[Path], Storage]] = {
    '.mcap': McapFile,
    '.db3': SqliteFile,
    '.bag': Ros1File,
}


class Recording:
    """
    The channels and messages of all files of a recording, in the order of recording.

    :param path: a rosbag2 folder, with or without metadata.yaml, or a .mcap, .db3 or .bag file,
        compressed as a whole (.zstd) or not.
    :raises FileNotFoundError: there is no such recording, or no file in the folder.
    :raises Exception: what a storage raises for a file that it cannot open.
    """

    def __init__(self, path: Path) -> None:
        self._closing = ExitStack()
        self._damage: list[str] = []
        self.metadata = Metadata()
        try:
            files = self._files(path)
            self.storages = sorted(
                (self._open(file) for file in files), key=lambda each: each.span_ns or (0, 0)
            )
        except BaseException:
            self._closing.close()
            raise
        self.channels = tuple(
            dict.fromkeys(channel for each in self.storages for channel in each.channels)
        )
        self.counts: Counter[Channel] = Counter()
        for each in self.storages:
            self.counts += Counter(each.counts)

    @property
    def damage(self) -> list[str]:
        """Return what could not be read so far."""
        return [*self._damage, *(problem for each in self.storages for problem in each.damage)]

    @property
    def span_ns(self) -> tuple[int, int]:
        """Return the time of the first and of the last message; zeros without messages."""
        spans = [each.span_ns for each in self.storages if each.span_ns is not None]
        return (min(spans)[0], max(end for _, end in spans)) if spans else (0, 0)

    def messages(self, wanted: Collection[Channel]) -> Iterator[StoredMessage]:
        """Yield the readable messages of these channels by time of recording, decompressed."""
        for message in self._stored(wanted):
            if not is_compressed(message.data):
                yield message
                continue
            try:
                yield message._replace(data=decompress(message.data))
            except ValueError as error:
                self._damage.append(f'a message on {message.channel.topic} is damaged ({error})')

    def close(self) -> None:
        """Close all files."""
        self._closing.close()

    def _stored(self, wanted: Collection[Channel]) -> Iterator[StoredMessage]:
        """Yield messages as stored; of files that overlap in time, merged."""
        group: list[Storage] = []
        end_ns = 0
        for each in self.storages:
            if each.span_ns is None:
                continue
            if group and each.span_ns[0] > end_ns:
                yield from _merged(group, wanted)
                group = []
            group.append(each)
            end_ns = max(end_ns, each.span_ns[1])
        yield from _merged(group, wanted)

    def _files(self, path: Path) -> list[Path]:
        """Return the files of a recording; note those that are missing."""
        if not path.is_dir():
            return [path]
        metadata = read_metadata(path)
        if metadata is not None:
            self.metadata = metadata
            listed = [path / name for name in metadata.files]
            found = [file for file in listed if file.is_file()]
            self._damage += [
                f'{file.name}, which {FILE_NAME} lists, is missing'
                for file in listed
                if file not in found
            ]
        else:
            found = sorted(file for file in path.iterdir() if _suffix(file) in _STORAGES)
            self._damage.append(
                f'{FILE_NAME} cannot be read'
                if (path / FILE_NAME).exists()
                else f'it has no {FILE_NAME}: the recorder was killed'
            )
        if not found:
            raise FileNotFoundError('there is no .mcap or .db3 file in this folder')
        return found

    def _open(self, file: Path) -> Storage:
        kind = _STORAGES.get(_suffix(file))
        if kind is None:
            raise ValueError(f'{file.name} is no recording; one of {", ".join(_STORAGES)}')
        if file.suffix == SUFFIX:
            folder = self._closing.enter_context(TemporaryDirectory(prefix='flashdepth_'))
            plain = Path(folder, file.stem)
            if problem := decompress_file(file, plain):
                self._damage.append(f'{file.name}: {problem}')
            file = plain
        storage = kind(file)
        self._closing.callback(storage.close)
        return storage


def _suffix(file: Path) -> str:
    """Return the suffix that names the kind of storage."""
    return Path(file.stem).suffix if file.suffix == SUFFIX else file.suffix


def _merged(storages: list[Storage], wanted: Collection[Channel]) -> Iterator[StoredMessage]:
    streams = [each.messages(wanted) for each in storages]
    return heapq.merge(*streams, key=lambda message: message.stamp_ns)
