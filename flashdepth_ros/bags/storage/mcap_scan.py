"""One pass over the records of an MCAP file: its channels, and where its messages are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
import os
from typing import BinaryIO, ClassVar, NamedTuple

from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel, ChunkIndex, Footer, Schema, Statistics

from flashdepth_ros.bags.storage.channel import Definition
from flashdepth_ros.bags.storage.mcap_records import (
    HEAD_BYTES,
    MAGIC,
    PARSE_ERRORS,
    ChunkError,
    RawRecord,
    chunk_records,
    content,
    index_entries,
    message_head,
    raw_records,
    start_time_ns,
)

_FOOTER_BYTES = HEAD_BYTES + 20 + len(MAGIC)


class Unit(NamedTuple):
    """A chunk, or a message outside chunks, with the time of its first message."""

    start_ns: int
    record: RawRecord


class Scan:
    """
    What an MCAP file holds, found without trusting its index.

    Records are read one after the other. The summary at the end is only used for what is
    statistics (how many messages there should be) and to find chunks behind damaged bytes. A file
    without a complete summary, or whose chunks have no message index, is decompressed once to
    find and count its channels.

    :raises ValueError: the file is not MCAP.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.channels: dict[int, Channel] = {}
        self.definitions: dict[int, tuple[str, Definition]] = {}
        """Type name and definition by the number of the schema."""
        self.counts: Counter[int] = Counter()
        """Messages by channel number."""
        self.damage: list[str] = []
        self._units: dict[int, Unit] = {}
        self._statistics: Statistics | None = None
        self._indexed: dict[int, Counter[int]] = {}
        self._chunk_start = -1
        self._end_ns = 0
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if file.read(len(MAGIC)) != MAGIC:
            raise ValueError('it is not an MCAP file')
        if not self._scan(len(MAGIC)):
            self._scan_summary()
        self._count()

    @property
    def units(self) -> list[Unit]:
        """Return the chunks and the messages outside chunks."""
        return list(self._units.values())

    @property
    def span_ns(self) -> tuple[int, int] | None:
        """Return the time of the first and of the last message; None: no messages."""
        starts = [unit.start_ns for unit in self._units.values()]
        return (min(starts), max(self._end_ns, *starts)) if starts else None

    def _scan(self, start: int) -> bool:
        """Note the records from an offset on; return whether the footer was reached."""
        position = start
        for record in raw_records(self._file, start, self._size):
            if record.opcode == Opcode.FOOTER:
                return True
            position = record.start + record.length
            self._note(record)
        self.damage.append(
            f'the file is not finished, it ends after {self._size} bytes'
            if position + HEAD_BYTES > self._size
            else f'there is no record at byte {position} of {self._size}'
        )
        return False

    def _scan_summary(self) -> None:
        """Note what the summary at the end of the file lists, if it has one."""
        self._file.seek(max(0, self._size - _FOOTER_BYTES))
        tail = self._file.read()
        if len(tail) != _FOOTER_BYTES or not tail.endswith(MAGIC) or tail[0] != Opcode.FOOTER:
            return
        footer = RawRecord(Opcode.FOOTER, self._size - _FOOTER_BYTES + HEAD_BYTES, 20, 20)
        start = Footer.read(content(self._file, footer)).summary_start
        for record in raw_records(self._file, start, self._size) if start else ():
            if record.opcode == Opcode.CHUNK_INDEX:
                self._try(record, self._note_chunk_index)
            else:
                self._note(record)

    def _note(self, record: RawRecord) -> None:
        note = self._NOTES.get(record.opcode)
        if note is not None:
            self._try(record, lambda each: note(self, each))

    def _try(self, record: RawRecord, note: Callable[[RawRecord], None]) -> None:
        try:
            note(record)
        except PARSE_ERRORS:
            self.damage.append(f'the record at byte {record.start} cannot be read')

    def _note_schema(self, record: RawRecord) -> None:
        self._add_schema(content(self._file, record))

    def _note_channel(self, record: RawRecord) -> None:
        self._add_channel(content(self._file, record))

    def _add_schema(self, stream: ReadDataStream) -> None:
        schema = Schema.read(stream)
        text = schema.data.decode('utf-8', 'replace')
        self.definitions[schema.id] = schema.name, Definition(schema.encoding, text)

    def _add_channel(self, stream: ReadDataStream) -> None:
        channel = Channel.read(stream)
        self.channels[channel.id] = channel

    def _note_message(self, record: RawRecord) -> None:
        if not record.is_whole:
            return
        channel_id, stamp_ns = message_head(self._file, record)
        self._units[record.start] = Unit(stamp_ns, record)
        self._end_ns = max(self._end_ns, stamp_ns)
        self.counts[channel_id] += 1

    def _note_chunk(self, record: RawRecord) -> None:
        start_ns, end_ns = start_time_ns(self._file, record)
        self._chunk_start = record.start
        self._units[record.start] = Unit(start_ns, record)
        self._end_ns = max(self._end_ns, end_ns)

    def _note_message_index(self, record: RawRecord) -> None:
        channel_id, entries = index_entries(self._file, record)
        self._indexed.setdefault(self._chunk_start, Counter())[channel_id] += entries

    def _note_chunk_index(self, record: RawRecord) -> None:
        index = ChunkIndex.read(content(self._file, record))
        start = index.chunk_start_offset + HEAD_BYTES
        length = index.chunk_length - HEAD_BYTES
        if start not in self._units and start + length <= self._size:
            self._note_chunk(RawRecord(Opcode.CHUNK, start, length, length))

    def _note_statistics(self, record: RawRecord) -> None:
        self._statistics = Statistics.read(content(self._file, record))

    _NOTES: ClassVar[Mapping[int, Callable[[Scan, RawRecord], None]]] = {
        Opcode.SCHEMA: _note_schema,
        Opcode.CHANNEL: _note_channel,
        Opcode.MESSAGE: _note_message,
        Opcode.CHUNK: _note_chunk,
        Opcode.MESSAGE_INDEX: _note_message_index,
        Opcode.STATISTICS: _note_statistics,
    }

    def _count(self) -> None:
        """Count the messages of each channel, and find channels that only the chunks name."""
        known = self._statistics
        has_all_channels = known is not None and known.channel_count <= len(self.channels)
        if known is not None and has_all_channels and known.channel_message_counts:
            self.counts |= Counter(known.channel_message_counts)
            return
        for unit in self._units.values():
            if unit.record.opcode == Opcode.CHUNK:
                self._count_chunk(unit.record)

    def _count_chunk(self, record: RawRecord) -> None:
        indexed = self._indexed.get(record.start, Counter())
        if indexed and indexed.keys() <= self.channels.keys():
            self.counts += indexed
            return
        try:
            for opcode, stream, length in chunk_records(self._file, record):
                if opcode == Opcode.SCHEMA:
                    self._add_schema(stream)
                elif opcode == Opcode.CHANNEL:
                    self._add_channel(stream)
                elif opcode == Opcode.MESSAGE and length:
                    self.counts[stream.read2()] += 1
        except (ChunkError, *PARSE_ERRORS) as error:
            self.damage.append(f'the chunk at byte {record.start} is damaged ({error})')
