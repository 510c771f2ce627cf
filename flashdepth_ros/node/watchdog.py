"""Finds threads that have ended or that make no progress; no ROS."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flashdepth_ros.node.threads import Progress

REPORT_S = 10.0
"""A thread is reported after this time on one image, or after `SLOWER` times its slowest one."""
REPLACE_S = 120.0
"""A thread is replaced after this time on one image; `torch_compile` takes a minute for a size."""
SLOWER = 5.0
_LONGEST_STEP_S = 2.0
"""A step between two checks counts at most this much: the process may have been stopped."""


@dataclass(frozen=True)
class Fault:
    """A thread that has ended, or that makes no progress."""

    text: str
    needs_new_thread: bool


@dataclass
class _Observed:
    """What was observed of one thread."""

    started: int = 0
    stalled_s: float = 0.0
    slowest_s: float = 0.0


class Watchdog:
    """Compares the progress of threads from check to check."""

    def __init__(self) -> None:
        self._observed: dict[str, _Observed] = {}
        self._checked_s: float | None = None

    def check(self, threads: Iterable[Progress], now_s: float) -> Fault | None:
        """
        Return the first fault, None if there is none.

        :param threads: if one waits for another, the other one is first.
        :param now_s: a monotonic time.
        """
        step_s = 0.0 if self._checked_s is None else now_s - self._checked_s
        self._checked_s = now_s
        faults = [self._check(thread, min(step_s, _LONGEST_STEP_S)) for thread in threads]
        return next((fault for fault in faults if fault is not None), None)

    def _check(self, thread: Progress, step_s: float) -> Fault | None:
        if not thread.alive:
            return Fault(f'the {thread.name} thread has ended', True)
        observed = self._observed.setdefault(thread.name, _Observed())
        if thread.busy and thread.started == observed.started:
            observed.stalled_s += step_s
        else:
            observed.slowest_s = max(observed.slowest_s, observed.stalled_s)
            observed.started, observed.stalled_s = thread.started, 0.0
        stalled_s, usual_s = observed.stalled_s, SLOWER * observed.slowest_s
        if stalled_s <= max(REPORT_S, usual_s):
            return None
        text = f'the {thread.name} thread has been working on one image for {stalled_s:.0f} s'
        # The first image of a thread may be slow. If a new thread hangs too, others would.
        if thread.started < 2:
            return Fault(f'{text}, its first one: if it does not go on, restart the node', False)
        replaced_s = max(REPLACE_S, usual_s)
        if stalled_s > replaced_s:
            return Fault(text, True)
        return Fault(
            f'{text}: if it does not go on, it is replaced after {replaced_s:.0f} s', False
        )
