"""Pair messages by their times: each with the nearest one, none twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from flashdepth_ros.bags.runs import Int64, Run


@dataclass(frozen=True)
class Messages:
    """The times of messages, and their positions on their track."""

    positions: Int64
    stamps_ns: Int64
    recorded_ns: Int64
    has_stamps: bool

    @staticmethod
    def of(runs: Sequence[Run]) -> Messages:
        """Return the messages of these runs."""
        return Messages(
            np.concatenate([run.start + np.arange(len(run)) for run in runs]),
            np.concatenate([run.stamps_ns for run in runs]),
            np.concatenate([run.recorded_ns for run in runs]),
            all(run.has_stamps for run in runs),
        )

    def pair(
        self, other: Messages, tolerance_ns: int, by_order: bool
    ) -> Iterator[tuple[int, int, int]]:
        """Yield the positions of two messages and the time between them."""
        if self.has_stamps and other.has_stamps:
            found = self._pair_stamps(other, tolerance_ns)
        elif by_order:
            found = ((index, index, 0) for index in range(len(self.positions)))
        else:
            found = pair_nearest(self.recorded_ns, other.recorded_ns, tolerance_ns)
        for i, j, apart_ns in found:
            yield int(self.positions[i]), int(other.positions[j]), apart_ns

    def _pair_stamps(self, other: Messages, tolerance_ns: int) -> Iterator[tuple[int, int, int]]:
        groups, others = self._by_stamp(), other._by_stamp()
        stamps, other_stamps = (np.array(list(each), np.int64) for each in (groups, others))
        pairs = [
            (groups[int(stamps[i])], others[int(other_stamps[j])], apart_ns)
            for i, j, apart_ns in pair_nearest(stamps, other_stamps, tolerance_ns)
        ]
        clear = [(a[0], b[0], apart_ns) for a, b, apart_ns in pairs if len(a) == len(b) == 1]
        yield from clear
        left = np.setdiff1d(np.arange(len(self.stamps_ns)), [i for i, *_ in clear])
        right = np.setdiff1d(np.arange(len(other.stamps_ns)), [j for _, j, _ in clear])
        delays = [other.recorded_ns[b[0]] - self.recorded_ns[a[0]] for a, b, _ in pairs]
        delay_ns = np.int64(np.median(delays)) if delays else np.int64(0)
        times = self.recorded_ns[left], other.recorded_ns[right] - delay_ns
        for i, j, apart_ns in pair_nearest(*times, tolerance_ns):
            a, b = int(left[i]), int(right[j])
            # Two stamps that identify their messages have been compared.
            if max(len(groups[self.stamps_ns[a]]), len(others[other.stamps_ns[b]])) > 1:
                yield a, b, apart_ns

    def _by_stamp(self) -> dict[int, list[int]]:
        """Return the messages of each stamp, in the order of recording."""
        groups = defaultdict(list)
        for index, stamp_ns in enumerate(self.stamps_ns.tolist()):
            groups[stamp_ns].append(index)
        return dict(groups)


def pair_nearest(first: Int64, second: Int64, tolerance_ns: int) -> Iterator[tuple[int, int, int]]:
    """Yield two indices and the time between them; equal times are told apart by their order."""
    if not (first.size and second.size):
        return
    firsts, seconds = _distinct(first), _distinct(second)
    order = np.argsort(firsts, kind='stable')
    after = np.searchsorted(firsts[order], seconds).clip(1, max(firsts.size - 1, 1))
    candidates = order[np.stack([after - 1, after.clip(max=firsts.size - 1)])]
    distances = np.abs(firsts[candidates] - seconds)
    nearest = candidates[distances.argmin(axis=0), np.arange(seconds.size)]
    apart = distances.min(axis=0)
    used: set[int] = set()
    for j in np.argsort(apart, kind='stable').tolist():
        i = int(nearest[j])
        if apart[j] <= tolerance_ns and i not in used:
            used.add(i)
            yield i, j, int(abs(first[i] - second[j]))


def _distinct(times_ns: Int64) -> Int64:
    """Return the times plus the number of earlier messages with the same time, ns."""
    seen: dict[int, int] = defaultdict(int)
    distinct = times_ns.copy()
    for index, time in enumerate(times_ns.tolist()):
        distinct[index] += seen[time]
        seen[time] += 1
    return distinct
