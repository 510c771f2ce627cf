"""Join two topics by the stamps in their headers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from flashdepth_ros.bags.reader import BagReader, Record


@dataclass(frozen=True)
class Track:
    """One topic of an open bag, whose messages have headers."""

    bag: BagReader
    topic: str

    @cached_property
    def stamps_ns(self) -> tuple[int, ...]:
        """Return the stamps of the headers in the order of recording."""
        stamps = (self.bag.header_stamp_ns(record) for record in self.bag.records(self.topic))
        return tuple(stamp for stamp in stamps if stamp is not None)


def joined(first: Track, second: Track, tolerance_ns: int = 0) -> Iterator[tuple[Record, Record]]:
    """
    Yield each record of the first with the second's of the nearest stamp, within the tolerance.

    Records without such a one are left out, and so are those for which the second would have to
    go back: a recording is read once, from its start to its end.
    """
    ahead = enumerate(second.bag.records(second.topic))
    at, other = next(ahead, (-1, None))
    for record, nearest in zip(
        first.bag.records(first.topic), _nearest(first, second, tolerance_ns), strict=True
    ):
        while other is not None and at < nearest:
            at, other = next(ahead, (at, None))
        if other is not None and at == nearest:
            yield record, other


def _nearest(first: Track, second: Track, tolerance_ns: int) -> list[int]:
    """Return for each stamp of the first the index of the nearest of the second, or -1."""
    theirs = np.array(second.stamps_ns, np.int64)
    indices = []
    for stamp in first.stamps_ns:
        distances = np.abs(theirs - stamp)
        index = int(distances.argmin()) if distances.size else -1
        indices.append(index if index >= 0 and distances[index] <= tolerance_ns else -1)
    return indices
