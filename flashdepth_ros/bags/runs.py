"""
Header stamps along the time of recording: the runs of a clock.

A run ends where the stamps go back and continue from there, as when a simulation restarts. Stamps
of one run can be compared; those of two runs cannot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]

#: More runs than this are not restarts: such stamps are arbitrary.
_RUNS_MAX = 50
#: Two runs of one clock differ less than this in stamp minus time of recording.
_SAME_CLOCK_NS = 50_000_000
#: Number of following messages one of which shows that a message was only recorded too late.
_LATE_MAX = 5


class Run:
    """
    Consecutive messages of a topic whose stamps do not go back, except messages out of order.

    :param start: the index of the first message.
    :param stamps_ns: the header stamps in the order of recording.
    :param recorded_ns: the times of recording, ascending.
    :param usable: False: the stamps are arbitrary.
    """

    def __init__(
        self, start: int, stamps_ns: Int64, recorded_ns: Int64, usable: bool = True
    ) -> None:
        self.start = start
        self.stamps_ns = stamps_ns
        self.recorded_ns = recorded_ns
        self._usable = usable

    def __len__(self) -> int:
        """Return the number of messages."""
        return len(self.stamps_ns)

    @cached_property
    def repeated(self) -> npt.NDArray[np.bool_]:
        """Return which messages have the stamp of an earlier message."""
        mask = np.ones(len(self), np.bool_)
        mask[np.unique(self.stamps_ns, return_index=True)[1]] = False
        return mask

    @property
    def has_stamps(self) -> bool:
        """Return whether the stamps show the order and the times of the messages."""
        return self._usable and (len(self) == 1 or bool(np.ptp(self.stamps_ns)))

    def stamps_at(self, recorded_ns: npt.ArrayLike) -> Int64:
        """
        Return the stamps of messages recorded at these times, with the delay of their neighbours.

        Before the first and after the last message the delay is constant.
        """
        times, used = np.asarray(recorded_ns, np.int64), ~self.repeated
        delays = self.recorded_ns - self.stamps_ns
        # Offsets to the first delay are small enough to be exact as floats.
        offsets = (delays - delays[0])[used]
        near = np.interp(times - self.recorded_ns[0], self._elapsed[used], offsets)
        return np.asarray(times - delays[0] - np.rint(near).astype(np.int64), np.int64)

    @cached_property
    def times_ns(self) -> Int64:
        """Return the stamps; repeated ones are estimated from the time of recording."""
        return np.where(self.repeated, self.stamps_at(self.recorded_ns), self.stamps_ns)

    @property
    def _elapsed(self) -> Int64:
        return self.recorded_ns - self.recorded_ns[0]


def split_runs(stamps_ns: Sequence[int], recorded_ns: Sequence[int]) -> list[Run]:
    """
    Return the runs of a topic, in the order of recording; the messages of each are consecutive.

    A few messages that go back were only recorded too late and are part of the run.
    """
    stamps, recorded = (np.asarray(each, np.int64) for each in (stamps_ns, recorded_ns))
    starts = _starts(stamps.tolist(), recorded.tolist())
    if not starts:
        return []
    if len(starts) > _RUNS_MAX:
        return [Run(0, stamps, recorded, usable=False)]
    ends = [*starts[1:], len(stamps)]
    return [
        Run(start, stamps[start:end], recorded[start:end])
        for start, end in zip(starts, ends, strict=True)
    ]


def _starts(stamps_ns: list[int], recorded_ns: list[int]) -> list[int]:
    """Return the indices at which the runs start; empty without messages."""
    delays = [recorded - stamp for stamp, recorded in zip(stamps_ns, recorded_ns, strict=True)]
    starts: list[int] = []
    seen: set[int] = set()
    latest = 0
    for index, stamp in enumerate(stamps_ns):
        # A stamp that was used before is more likely that of a restart.
        following = range(index + 1, len(stamps_ns))[: 1 if stamp in seen else _LATE_MAX]
        delay = max(delays[max(index - 3, starts[-1]) : index]) if starts else 0
        # Of a late message, one that follows has a later stamp and no more delay than before.
        is_late = any(
            stamps_ns[i] > latest and 2 * (delays[i] - delay) < latest - stamp for i in following
        )
        is_late = is_late or not (following or stamp in seen)
        if not starts or (stamp < latest and not is_late):
            starts.append(index)
            seen, latest = set(), stamp
        seen.add(stamp)
        latest = max(latest, stamp)
    return starts


def linked_runs(
    ones: Sequence[Run], others: Sequence[Run]
) -> Iterator[tuple[list[Run], list[Run]]]:
    """
    Yield the runs of two tracks of one recorder whose clocks agree.

    They are one run of each track, unless many late messages in a row split a run. A run that the
    other track does not have is left out.
    """
    gaps = np.array([[_clock_gap(a, b) for b in others] for a in ones])
    spans = np.array([np.ptp(run.stamps_ns) for run in ones])
    limits = np.minimum(2 * gaps.min(), spans / 2) + _SAME_CLOCK_NS
    groups: list[tuple[set[int], set[int]]] = []
    for index, row in enumerate(gaps <= limits[:, np.newaxis]):
        left, right = {index}, set(np.flatnonzero(row).tolist())
        for joined in [group for group in groups if group[1] & right]:
            groups.remove(joined)
            left, right = left | joined[0], right | joined[1]
        if right:
            groups.append((left, right))
    for left, right in groups:
        yield [ones[i] for i in sorted(left)], [others[i] for i in sorted(right)]


def _clock_gap(one: Run, other: Run) -> float:
    """Return how much the stamps of two runs differ at the same time of recording."""
    recorded = other.recorded_ns
    shared = (recorded >= one.recorded_ns[0]) & (recorded <= one.recorded_ns[-1])
    if not shared.any():
        shared[:] = True
    apart = one.stamps_at(recorded[shared]) - other.stamps_ns[shared]
    return float(np.median(np.abs(apart)))
