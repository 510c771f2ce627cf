"""Copy the original topics of a recording to the new bag."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from flashdepth_ros.bags.reader import BagReader, Record, Topic
from flashdepth_ros.bags.writer import BagWriter
from flashdepth_ros.errors import BagError


class TopicCopier:
    """
    Copies serialized messages unchanged, with their definitions, in the order of recording.

    :param source: an open bag that has no other reader.
    :param names: the topics to copy; empty: all whose types are defined.
    :param warn: called with a text that names the topics that are left out.
    :raises BagError: a named topic does not exist, or its type is not defined.
    """

    def __init__(
        self,
        source: BagReader,
        target: BagWriter,
        names: Collection[str],
        warn: Callable[[str], Any],
    ) -> None:
        topics = [source.topic(name) for name in names] or list(_definable(source, warn))
        for topic in topics:
            target.add_topic(topic.name, topic.type, source.typestore(topic.type), topic.latched)
        self._target = target
        self._records = source.records(*(topic.name for topic in topics)) if topics else iter(())
        self._damage: BagError | None = None
        self._next = self._read()

    def copy_until(self, recorded_ns: int) -> None:
        """Copy the remaining messages that were recorded up to this time."""
        while self._next is not None and self._next.stamp_ns <= recorded_ns:
            self._copy(self._next)

    def copy_rest(self, is_stopped: Callable[[], bool]) -> None:
        """
        Copy all remaining messages, or stop when `is_stopped` returns true.

        :raises BagError: the recording is damaged; raised after all that can be read.
        """
        while self._next is not None and not is_stopped():
            self._copy(self._next)
        if self._damage is not None:
            raise self._damage

    def _copy(self, record: Record) -> None:
        self._target.write_cdr(record.topic, record.type, record.data, record.stamp_ns)
        self._next = self._read()

    def _read(self) -> Record | None:
        try:
            return next(self._records, None)
        except BagError as error:
            self._damage = error
            return None


def _definable(source: BagReader, warn: Callable[[str], Any]) -> Iterator[Topic]:
    """Yield the topics whose messages the new bag can define; warn once of the others."""
    left_out = []
    for topic in source.topics:
        if topic in source.undecodable or not _is_defined(source, topic):
            left_out.append(f'{topic.name} ({topic.type})')
        else:
            yield topic
    if left_out:
        warn(
            f'{source.path}: not copied, since the bag has no usable definition: '
            f'{", ".join(left_out)}'
        )


def _is_defined(source: BagReader, topic: Topic) -> bool:
    try:
        source.typestore(topic.type)
    except BagError:
        return False
    return True
