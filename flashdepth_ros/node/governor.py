"""Chooses the size of the network's input so that a target rate is reached; no ROS."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
import math
import statistics

from flashdepth_ros.network.config import PATCH
from flashdepth_ros.runtime.preprocess import InferenceSize

SHARES = (1.0, 0.85, 0.7, 0.6, 0.5, 0.42, 0.35)
"""Scale of the input's sides relative to full size; each step takes about a third less work."""
SETTLE_FRAMES = 2
"""Frames that are ignored after a change of size, because they are slower than the next ones."""
LOWER_FRAMES = 8
"""Frames that are measured before a step down."""
RAISE_FRAMES = 24
"""Frames that are measured before a step up."""
RAISE_SHARE = 0.85
"""A step up is tried if its predicted time is below this share of the time budget."""
_PATIENCE_MAX = 16


class Governor:
    """
    Controls the input size in steps: compares the time per frame with the period of the rate.

    It goes one step down when frames take longer than the period. It goes one step up when the
    predicted time of the next larger size is well below the period; the prediction assumes time
    proportional to pixels. Each step up that has to be reverted doubles the wait before the next.
    Sizes for which memory does not suffice are not used again.
    """

    def __init__(self) -> None:
        self._target_rate = 0.0
        self._step = self._first_step = 0
        self._costs_ms: deque[float] = deque(maxlen=RAISE_FRAMES)
        self._frames = 0
        self._patience = 1
        self._raised = False

    @property
    def target_rate(self) -> float:
        """The target rate, Hz; 0 = off: full size."""
        return self._target_rate

    @target_rate.setter
    def target_rate(self, rate: float) -> None:
        if rate == self._target_rate:
            return
        self._target_rate = rate
        self._patience, self._raised = 1, False
        self._set_step(self._step if rate else self._first_step)

    @property
    def share(self) -> float:
        """The current scale of the input's sides relative to full size."""
        return SHARES[self._step]

    def forbid_current(self) -> bool:
        """Never use the current size or a larger one again; return False if it is the smallest."""
        if self._step == len(SHARES) - 1:
            return False
        self._first_step = self._step + 1
        self._set_step(self._first_step)
        return True

    def observe(self, cost_ms: float) -> bool:
        """Record the time of the last frame; return whether the size changes for the next one."""
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
        self._set_step(step)
        return True

    def _best_step(self, budget_ms: float) -> int:
        recent = list(self._costs_ms)[-LOWER_FRAMES:]
        if len(recent) < LOWER_FRAMES:
            return self._step
        if statistics.median(recent) > budget_ms:
            return min(self._step + 1, len(SHARES) - 1)
        if (
            self._step > self._first_step
            and self._frames - SETTLE_FRAMES >= RAISE_FRAMES * self._patience
        ):
            growth = (SHARES[self._step - 1] / self.share) ** 2
            if growth * statistics.median(self._costs_ms) < RAISE_SHARE * budget_ms:
                return self._step - 1
        return self._step

    def _set_step(self, step: int) -> None:
        self._step, self._frames = step, 0
        self._costs_ms.clear()


def scaled_size(
    full: InferenceSize, share: float, inference_size: tuple[int, int]
) -> InferenceSize:
    """
    Return the full size with its sides multiplied by `share`, in whole patches.

    :param inference_size: height and width of the network's input at full size, px.
    """
    if share == 1.0:
        return full
    short = max(1, round(share * min(inference_size) / PATCH))
    # Of a long narrow image a patch of the short side is many of the long one.
    long = max(1, math.ceil(share * max(inference_size) / PATCH))
    return replace(full, short_side=short * PATCH, long_side_max=long * PATCH)
