"""Copy the original topics of a recording to the new bag."""

from __future__ import annotations

from collections.abc import Callable, Collection

from flashdepth_ros.bags.reader import BagReader
from flashdepth_ros.bags.writer import BagWriter


class TopicCopier:
    """
    Copies serialized messages unchanged, with their definitions, in the order of recording.

    :param source: an open bag that has no other reader.
    :param names: the topics to copy; empty: all.
    :raises BagError: a topic does not exist, or its type is not defined.
    """

    def __init__(self, source: BagReader, target: BagWriter, names: Collection[str]) -> None:
        topics = [source.topic(name) for name in names] or list(source.topics)
        for topic in topics:
            target.add_topic(topic.name, topic.type, source.typestore(topic.type), topic.latched)
        self._target = target
        self._records = source.records(*(topic.name for topic in topics))
        self._next = next(self._records, None)

    def copy_until(self, recorded_ns: int) -> None:
        """
        Copy the remaining messages that were recorded up to this time.

        :raises BagError: the recording is damaged; raised after the messages before the damage.
        """
        while self._next is not None and self._next.stamp_ns <= recorded_ns:
            self._copy()

    def copy_rest(self, is_stopped: Callable[[], bool]) -> None:
        """
        Copy all remaining messages, or stop when `is_stopped` returns true.

        :raises BagError: the recording is damaged; raised after the messages before the damage.
        """
        while self._next is not None and not is_stopped():
            self._copy()

    def _copy(self) -> None:
        record = self._next
        assert record is not None
        self._target.write_cdr(record.topic, record.type, record.data, record.stamp_ns)
        self._next = next(self._records, None)
