"""An MCAP file, read by scanning its records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
import heapq
from pathlib import Path
from typing import NamedTuple

from mcap.opcode import Opcode
from mcap.records import Channel as ChannelRecord

from flashdepth_ros.bags.storage.channel import Channel, Definition, StoredMessage, is_latched
from flashdepth_ros.bags.storage.mcap_records import (
    ChunkError,
    RawRecord,
    chunk_messages,
    message,
)
from flashdepth_ros.bags.storage.mcap_scan import Scan


class _Waiting(NamedTuple):
    """A message that was read and waits until no earlier one can follow."""

    stamp_ns: int
    order: int
    channel_id: int
    data: bytes


class McapFile:
    """
    The channels and messages of an MCAP file, with or without index, summary and end.

    :raises ValueError: it is not an MCAP file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open('rb')
        try:
            scan = Scan(self._file)
        except BaseException:
            self._file.close()
            raise
        self._units = sorted(scan.units)
        self.damage = scan.damage
        self.span_ns = scan.span_ns
        self._channels = {
            number: _channel(record, scan.definitions.get(record.schema_id))
            for number, record in scan.channels.items()
        }
        self.channels = tuple(dict.fromkeys(self._channels.values()))
        self.counts: Counter[Channel] = Counter()
        for number, count in scan.counts.items():
            if number in self._channels:
                self.counts[self._channels[number]] += count

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def messages(self, wanted: Collection[Channel]) -> Iterator[StoredMessage]:
        """Yield the readable messages of these channels by time of recording."""
        numbers = {number for number, channel in self._channels.items() if channel in wanted}
        waiting: list[_Waiting] = []
        order = 0
        for start_ns, record in self._units:
            while waiting and waiting[0].stamp_ns <= start_ns:
                yield self._stored(heapq.heappop(waiting))
            for channel_id, stamp_ns, data in self._unit(record):
                if channel_id in numbers:
                    order += 1
                    heapq.heappush(waiting, _Waiting(stamp_ns, order, channel_id, data))
        while waiting:
            yield self._stored(heapq.heappop(waiting))

    def _stored(self, waiting: _Waiting) -> StoredMessage:
        return StoredMessage(self._channels[waiting.channel_id], waiting.stamp_ns, waiting.data)

    def _unit(self, record: RawRecord) -> Iterator[tuple[int, int, bytes]]:
        """Yield channel, time and data of the messages in a chunk, or of the one that it is."""
        if record.opcode == Opcode.MESSAGE:
            yield message(self._file, record)
            return
        try:
            yield from chunk_messages(self._file, record)
        except ChunkError as error:
            problem = f'the chunk at byte {record.start} is damaged ({error})'
            if problem not in self.damage:
                self.damage.append(problem)


def _channel(record: ChannelRecord, named: tuple[str, Definition] | None) -> Channel:
    type_name, definition = named or ('', None)
    return Channel(
        record.topic,
        type_name,
        record.message_encoding,
        definition if definition and definition.text else None,
        is_latched(record.metadata.get('offered_qos_profiles', '')),
    )
