"""An SQLite file of rosbag2, read from its tables without their indexes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
import shutil
import sqlite3
from tempfile import TemporaryDirectory
from typing import Any

from flashdepth_ros.bags.storage.channel import Channel, Definition, StoredMessage, is_latched

_LOG_SUFFIXES = ('-wal', '-shm', '-journal')


class SqliteFile:
    """
    The channels and messages of an SQLite file, the write-ahead log beside it included.

    :raises sqlite3.Error: it is not an SQLite file, or lacks the tables of rosbag2.
    """

    def __init__(self, path: Path) -> None:
        self.damage: list[str] = []
        self._closing = ExitStack()
        try:
            self._database = self._connect(path)
            self._channels = dict(self._read_channels())
            self._rows = sorted(self._read_rows())
        except BaseException:
            self._closing.close()
            raise
        self.channels = tuple(dict.fromkeys(self._channels.values()))
        self.counts: Counter[Channel] = Counter(
            self._channels[topic_id] for _, _, topic_id in self._rows if topic_id in self._channels
        )
        stamps = [row[0] for row in self._rows]
        self.span_ns = (stamps[0], stamps[-1]) if stamps else None

    def close(self) -> None:
        """Close the file."""
        self._closing.close()

    def messages(self, wanted: Collection[Channel]) -> Iterator[StoredMessage]:
        """Yield the readable messages of these channels by time of recording."""
        for stamp_ns, row_id, topic_id in self._rows:
            channel = self._channels.get(topic_id)
            if channel is None or channel not in wanted:
                continue
            data = self._data(row_id)
            if data is not None:
                yield StoredMessage(channel, stamp_ns, data)

    def _connect(self, path: Path) -> sqlite3.Connection:
        """Open the database for reading; with a log beside it, in a copy that may be written."""
        if any(path.with_name(path.name + suffix).exists() for suffix in _LOG_SUFFIXES):
            folder = Path(self._closing.enter_context(TemporaryDirectory(prefix='flashdepth_')))
            for suffix in ('', *_LOG_SUFFIXES[::2]):
                part = path.with_name(path.name + suffix)
                if part.exists():
                    shutil.copyfile(part, folder / part.name)
            path = folder / path.name
            options = ''
        else:
            options = '?mode=ro&immutable=1'
        # A URI, in which characters such as # and ? are quoted.
        database = sqlite3.connect(
            path.resolve().as_uri() + options, uri=True, check_same_thread=False
        )
        self._closing.callback(database.close)
        return database

    def _read_channels(self) -> Iterator[tuple[int, Channel]]:
        definitions = dict(self._read_definitions())
        for row in self._table('topics'):
            yield (
                row['id'],
                Channel(
                    row['name'],
                    row['type'],
                    row.get('serialization_format', 'cdr'),
                    definitions.get(row['type']),
                    is_latched(row.get('offered_qos_profiles') or ''),
                ),
            )

    def _read_definitions(self) -> Iterator[tuple[str, Definition]]:
        for row in self._table('message_definitions'):
            text = row['encoded_message_definition']
            if text:
                digest = row.get('type_description_hash') or ''
                yield row['topic_type'], Definition(row['encoding'], text, digest)

    def _table(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a table by column names; none if the file has no such table."""
        found = self._database.execute('SELECT name FROM sqlite_master WHERE name = ?', [name])
        if name != 'topics' and found.fetchone() is None:
            return []
        cursor = self._database.execute(f'SELECT * FROM {name}')
        columns = [column[0] for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor]

    def _read_rows(self) -> set[tuple[int, int, int]]:
        """Return time, id and topic of all messages; around damage, from both ends."""
        rows: set[tuple[int, int, int]] = set()
        for order in ('ASC', 'DESC'):
            query = f'SELECT timestamp, id, topic_id FROM messages NOT INDEXED ORDER BY id {order}'
            try:
                for row in self._database.execute(query):
                    rows.add(row)
                return rows
            except sqlite3.DatabaseError as error:
                self._note_damage(f'its table of messages is damaged ({error})')
        return rows

    def _data(self, row_id: int) -> bytes | None:
        try:
            query = 'SELECT data FROM messages WHERE id = ?'
            row = self._database.execute(query, [row_id]).fetchone()
            return bytes(row[0])
        except (sqlite3.DatabaseError, TypeError) as error:
            self._note_damage(f'message {row_id} is damaged ({error})')
            return None

    def _note_damage(self, problem: str) -> None:
        if problem not in self.damage:
            self.damage.append(problem)
