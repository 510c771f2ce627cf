"""Per-pixel accuracy of depth."""

from __future__ import annotations

import numpy as np

from flashdepth_ros.metrics.pixels import Array, Mask, mean, valid_values


def abs_rel(depth: Array, truth: Array, mask: Mask | None = None) -> float:
    """Return AbsRel, the mean of |d - t| / t (Eigen et al., 2014)."""
    d, t = valid_values(depth, truth, mask)
    return mean(np.abs(d - t) / t)


def rmse(depth: Array, truth: Array, mask: Mask | None = None) -> float:
    """Return the square root of the mean of (d - t)^2, in metres."""
    d, t = valid_values(depth, truth, mask)
    return float(np.sqrt(mean((d - t) ** 2)))


def delta(depth: Array, truth: Array, mask: Mask | None = None, power: int = 1) -> float:
    """Return the fraction of pixels with max(d/t, t/d) < 1.25 ** power (Eigen et al., 2014)."""
    d, t = valid_values(depth, truth, mask)
    return mean(np.maximum(d / t, t / d) < 1.25**power)


def delta1(depth: Array, truth: Array, mask: Mask | None = None) -> float:
    """Return the fraction of pixels within a factor of 1.25 of the true depth."""
    return delta(depth, truth, mask, power=1)
