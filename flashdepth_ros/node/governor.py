"""Chooses how large the network sees the images, so that a wanted rate is kept; no ROS."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
import statistics

from flashdepth_ros.network.config import PATCH
from flashdepth_ros.runtime.preprocess import InferenceSize

SHARES = (1.0, 0.85, 0.7, 0.6, 0.5, 0.42, 0.35)
"""Sides of the network's input, of the full ones; from step to step about a third less work."""
SETTLE_FRAMES = 2
"""The first frames of another size are slower than those that follow."""
LOWER_FRAMES = 8
RAISE_FRAMES = 24
"""So many frames decide; a size that has just failed is not tried again as soon."""
RAISE_SHARE = 0.85
"""Of the time for one frame: what the next larger size is to take at most, to be tried."""
_PATIENCE_MAX = 16


class Governor:
    """
    Judges what frames cost by the time that the rate leaves for one, in steps of size.

    One step down where frames take longer; one up where the next larger size, whose work grows
    with its pixels, would leave something to spare for longer. A step up that is taken back makes
    the next one wait twice as long.
    """

    def __init__(self) -> None:
        self._target_rate = 0.0
        self._step = 0
        self._costs_ms: deque[float] = deque(maxlen=RAISE_FRAMES)
        self._frames = 0
        self._patience = 1
        self._raised = False

    @property
    def target_rate(self) -> float:
        """The rate to keep, Hz; 0 = off, and the size is the full one."""
        return self._target_rate

    @target_rate.setter
    def target_rate(self, rate: float) -> None:
        if rate == self._target_rate:
            return
        self._target_rate = rate
        self._patience, self._raised = 1, False
        self._go_to(self._step if rate else 0)

    @property
    def share(self) -> float:
        """Of the full sides, those of the network's input now."""
        return SHARES[self._step]

    def observe(self, cost_ms: float) -> bool:
        """Take what the last frame cost; return whether the size is another from now on."""
        if not self._target_rate:
            return False
        self._frames += 1
        if self._frames > SETTLE_FRAMES:
            self._costs_ms.append(cost_ms)
        step = self._best_step(1e3 / self._target_rate)
        if step == self._step:
            return False
        if step > self._step and self._raised:
            self._patience = min(2 * self._patience, _PATIENCE_MAX)
        self._raised = step < self._step
        self._go_to(step)
        return True

    def _best_step(self, budget_ms: float) -> int:
        recent = list(self._costs_ms)[-LOWER_FRAMES:]
        if len(recent) < LOWER_FRAMES:
            return self._step
        if statistics.median(recent) > budget_ms:
            return min(self._step + 1, len(SHARES) - 1)
        if self._step and self._frames - SETTLE_FRAMES >= RAISE_FRAMES * self._patience:
            growth = (SHARES[self._step - 1] / self.share) ** 2
            if growth * statistics.median(self._costs_ms) < RAISE_SHARE * budget_ms:
                return self._step - 1
        return self._step

    def _go_to(self, step: int) -> None:
        self._step, self._frames = step, 0
        self._costs_ms.clear()


def shrunk(full: InferenceSize, share: float, inference_size: tuple[int, int]) -> InferenceSize:
    """
    Return the size whose sides are a share of the full ones.

    :param inference_size: height and width that the full size gives, px.
    """
    if share == 1.0:
        return full
    patches = max(1, round(share * min(inference_size) / PATCH))
    return replace(full, short_side=patches * PATCH)
