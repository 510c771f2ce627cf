"""
Header stamps along the time of recording: the runs of a clock.

A run ends where the stamps go back and continue from there, as when a simulation restarts. Stamps
of one run can be compared; those of two runs cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]

#: More runs than this are not restarts: such stamps are arbitrary.
_RUNS_MAX = 50
#: Number of following messages one of which shows that a message was only recorded too late.
_LATE_MAX = 2


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

    A single message that goes back, or two, was only recorded too late and is part of the run.
    """
    stamps, recorded = (np.asarray(each, np.int64) for each in (stamps_ns, recorded_ns))
    starts = _starts(list(stamps_ns))
    if len(starts) > _RUNS_MAX:
        return [Run(0, stamps, recorded, usable=False)]
    ends = [*starts[1:], len(stamps)]
    return [
        Run(start, stamps[start:end], recorded[start:end])
        for start, end in zip(starts, ends, strict=True)
    ]


def _starts(stamps_ns: list[int]) -> list[int]:
    """Return the indices at which the runs start; empty without messages."""
    starts: list[int] = []
    seen: set[int] = set()
    latest = 0
    for index, stamp in enumerate(stamps_ns):
        repeated = stamp in seen
        if not starts or (stamp < latest and not _is_late(stamps_ns, index, latest, repeated)):
            starts.append(index)
            seen, latest = set(), stamp
        seen.add(stamp)
        latest = max(latest, stamp)
    return starts


def _is_late(stamps_ns: list[int], index: int, latest: int, repeated: bool) -> bool:
    """Return whether the stamps continue after `latest` soon after this message."""
    # A stamp that was used before is more likely that of a restart.
    following = stamps_ns[index + 1 : index + 1 + (1 if repeated else _LATE_MAX)]
    return any(stamp > latest for stamp in following) or not (following or repeated)
