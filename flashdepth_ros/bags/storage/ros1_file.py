"""A ROS 1 bag, read by rosbags through the index of its chunks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from rosbags.interfaces import Connection, ConnectionExtRosbag1
from rosbags.rosbag1 import Reader

from flashdepth_ros.bags.storage.channel import Channel, Definition, StoredMessage


class Ros1File:
    """
    The channels and messages of a ROS 1 bag; the messages stay in ROS 1's serialization.

    :raises rosbags.rosbag1.ReaderError: it is damaged or has no index (`rosbag reindex`).
    """

    def __init__(self, path: Path) -> None:
        self.damage: list[str] = []
        self._reader = Reader(path)
        self._reader.open()
        self._channels = {each.id: _channel(each) for each in self._reader.connections}
        self.channels = tuple(dict.fromkeys(self._channels.values()))
        self.counts: Counter[Channel] = Counter()
        for connection in self._reader.connections:
            self.counts[self._channels[connection.id]] += connection.msgcount
        first_ns, end_ns = self._reader.start_time, self._reader.end_time
        # rosbags counts up to the nanosecond after the last message.
        self.span_ns = (first_ns, end_ns - 1) if self._reader.message_count else None

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def messages(self, wanted: Collection[Channel]) -> Iterator[StoredMessage]:
        """Yield the messages of these channels by time of recording."""
        chosen = [each for each in self._reader.connections if self._channels[each.id] in wanted]
        for connection, stamp_ns, data in self._reader.messages(chosen) if chosen else ():
            yield StoredMessage(self._channels[connection.id], stamp_ns, data)


def _channel(connection: Connection) -> Channel:
    ext = connection.ext
    return Channel(
        connection.topic,
        connection.msgtype,
        'ros1',
        Definition('ros1msg', connection.msgdef.data, connection.digest),
        bool(ext.latching) if isinstance(ext, ConnectionExtRosbag1) else False,
    )
