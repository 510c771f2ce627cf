"""The messages of a topic with their times: header stamp and time of recording."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from flashdepth_ros.bags.reader import BagReader, Record
from flashdepth_ros.bags.runs import Run, split_runs
from flashdepth_ros.errors import BagError


class Entry(NamedTuple):
    """A message with a header; its place on the topic identifies it."""

    place: int
    stamp_ns: int
    recorded_ns: int
    time_ns: int | None
    """The stamp, or an estimate if it repeats; None if the stamps do not show the time."""


@dataclass(frozen=True)
class Track:
    """
    A topic of an open bag whose messages have headers; one without a valid header is left out.

    :param partial: of a damaged recording, use what can be read; else it raises BagError.
    """

    bag: BagReader
    topic: str
    partial: bool = False

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Return the messages in the order of recording."""
        times = [
            int(time) if run.has_stamps else None for run in self.runs for time in run.times_ns
        ]
        return tuple(
            Entry(*header, time) for header, time in zip(self._headers, times, strict=True)
        )

    @property
    def stamps_ns(self) -> tuple[int, ...]:
        """Return the header stamps in the order of recording."""
        return tuple(stamp_ns for _, stamp_ns, _ in self._headers)

    @cached_property
    def runs(self) -> list[Run]:
        """Return the runs of the clock of the stamps."""
        return split_runs(self.stamps_ns, [recorded_ns for *_, recorded_ns in self._headers])

    @property
    def has_stamps(self) -> bool:
        """Return whether the stamps show the times of the messages."""
        return all(run.has_stamps for run in self.runs)

    def shares_recorder(self, other: Track) -> bool:
        """Return whether the times of recording of both tracks are of one clock."""
        if self.bag.path == other.bag.path or not (self.runs and other.runs):
            return True
        (start, end), (other_start, other_end) = (
            (track.runs[0].recorded_ns[0], track.runs[-1].recorded_ns[-1])
            for track in (self, other)
        )
        return bool(start <= other_end and other_start <= end)

    @cached_property
    def _headers(self) -> list[tuple[int, int, int]]:
        """Return place, stamp and time of recording of each message."""
        headers = []
        try:
            for place, record in enumerate(self.bag.records(self.topic)):
                stamp_ns = self._stamp_ns(record)
                if stamp_ns is not None:
                    headers.append((place, stamp_ns, record.stamp_ns))
        except BagError:
            if not self.partial:
                raise
        return headers

    def _stamp_ns(self, record: Record) -> int | None:
        try:
            return self.bag.header_stamp_ns(record)
        except BagError:
            return None
