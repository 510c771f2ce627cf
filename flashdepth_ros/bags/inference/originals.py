"""A recording's own topics, copied between what is new."""

from __future__ import annotations

from collections.abc import Callable, Collection

from flashdepth_ros.bags.reader import BagReader
from flashdepth_ros.bags.writer import BagWriter


class Originals:
    """
    Copies topics byte by byte, with their definitions, in the order of recording.

    :param source: an open bag that nobody else reads from meanwhile.
    :param names: of the topics; empty: all.
    :raises BagError: a topic is not there, or its type is defined nowhere.
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
        Copy what was recorded up to this time and is not copied yet.

        :raises BagError: at the place where the recording is damaged.
        """
        while self._next is not None and self._next.stamp_ns <= recorded_ns:
            self._copy()

    def copy_rest(self, stops: Callable[[], bool]) -> None:
        """
        Copy all that is left, unless something stops it.

        :raises BagError: at the place where the recording is damaged.
        """
        while self._next is not None and not stops():
            self._copy()

    def _copy(self) -> None:
        record = self._next
        assert record is not None
        self._target.write_cdr(record.topic, record.type, record.data, record.stamp_ns)
        self._next = next(self._records, None)
