"""Match the messages of two topics by their header stamps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from flashdepth_ros.bags.reader import BagReader, Record


@dataclass(frozen=True)
class Track:
    """A topic of an open bag whose messages have headers."""

    bag: BagReader
    topic: str

    @cached_property
    def stamps_ns(self) -> tuple[int, ...]:
        """Return the header stamps in the order of recording."""
        stamps = (self.bag.header_stamp_ns(record) for record in self.bag.records(self.topic))
        return tuple(stamp for stamp in stamps if stamp is not None)


def match_by_stamp(
    first: Track, second: Track, tolerance_ns: int = 0
) -> Iterator[tuple[Record, Record]]:
    """
    Yield each record of the first track with the one of the second whose stamp is nearest.

    A record without a match within the tolerance is skipped. So is a record whose match was
    recorded before the match of the previous record, because each bag is read only once.
    """
    others = enumerate(second.bag.records(second.topic))
    index, other = next(others, (-1, None))
    for record, nearest in zip(
        first.bag.records(first.topic), _nearest(first, second, tolerance_ns), strict=True
    ):
        while other is not None and index < nearest:
            index, other = next(others, (index, None))
        if other is not None and index == nearest:
            yield record, other


def _nearest(first: Track, second: Track, tolerance_ns: int) -> list[int]:
    """Return for each stamp of the first track the index of the nearest in the second, or -1."""
    stamps_ns = np.array(second.stamps_ns, np.int64)
    indices = []
    for stamp in first.stamps_ns:
        distances = np.abs(stamps_ns - stamp)
        index = int(distances.argmin()) if distances.size else -1
        indices.append(index if index >= 0 and distances[index] <= tolerance_ns else -1)
    return indices
