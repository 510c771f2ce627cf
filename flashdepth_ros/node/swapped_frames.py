"""Notices images that arrive in the wrong order and so reset the sequence; no ROS."""

from __future__ import annotations

from collections import deque
import math

from flashdepth_ros.runtime import ResetReason

_SMALL_S = 1.0
"""A larger step back is a bag that loops or a simulation that restarts."""
_MEMORY_S = 60.0
_SWAPS = 2
_MARGIN = 1.5


class SwappedFrames:
    """Advises a `reset.backward_tolerance` after repeated small steps of the stamp back."""

    def __init__(self) -> None:
        self._last_ns = 0
        self._steps: deque[tuple[float, float]] = deque(maxlen=100)
        """When a stamp went back, and by how much, s."""

    def observe(self, stamp_ns: int, reset_reason: ResetReason, now_s: float) -> None:
        """Record an image of the sequence; `now_s` is a monotonic time."""
        back_s = (self._last_ns - stamp_ns) * 1e-9
        if reset_reason == ResetReason.STAMP_BACK and back_s < _SMALL_S:
            self._steps.append((now_s, back_s))
        self._last_ns = stamp_ns

    def advice(self, now_s: float) -> str:
        """Return what to do about the steps of the last minute; '' if there are few."""
        recent = [
            back_s for moment_s, back_s in tuple(self._steps) if now_s - moment_s < _MEMORY_S
        ]
        if len(recent) < _SWAPS:
            return ''
        tolerance = math.ceil(max(recent) * _MARGIN * 100) / 100
        return (
            f'stamps went back by up to {max(recent):.3f} s, {len(recent)} times in '
            f'{_MEMORY_S:g} s, and each time a new sequence started: if the driver swaps frames, '
            f'set reset.backward_tolerance to {tolerance:g}'
        )
