"""How stable depth is over time, without the motion of the camera."""

from __future__ import annotations

import numpy as np

from flashdepth_ros.metrics.alignment import frame_scales
from flashdepth_ros.metrics.pixels import Array, Mask, mean, valid_pixels


def drift_curve(scales: Array) -> Array:
    """
    Return for each x the deviation of the first x scales over their mean, (T,).

    curve[x - 1] = std(s_1 .. s_x) / |mean(s_1 .. s_x)|, the population deviation, NaN scales
    skipped; 0 throughout for a prediction whose scale never changes.
    """
    known = np.isfinite(scales)
    centre = mean(scales[known])
    count = np.where(np.cumsum(known), np.cumsum(known), np.nan)
    # The centre is taken off first, so that the difference of squares keeps its digits.
    off = np.where(known, scales - centre, 0.0)
    offset = np.cumsum(off) / count
    variance = np.maximum(np.cumsum(off**2) / count - offset**2, 0.0)
    return np.asarray(np.sqrt(variance) / np.abs(centre + offset))


def scale_drift(prediction: Array, truth: Array, mask: Mask | None = None) -> Array:
    """Return the drift curve (T,) of a sequence (T, H, W), in the space that is passed."""
    return drift_curve(frame_scales(prediction, truth, mask))


def flicker(depth: Array, truth: Array, mask: Mask | None = None, still: float = 0.05) -> float:
    """
    Return how much the depth (T, H, W) changes at fixed pixels beyond the truth's own change.

    The mean, over consecutive frames and pixels, of |ln(d'/d) - ln(t'/t)|: for small changes the
    relative change that the scene does not explain; no scale changes it. Only pixels count where
    the truth itself changes little, |ln(t'/t)| < `still`, so that edges on the move do not speak.
    """
    valid = valid_pixels(depth, truth, mask)
    total, count = 0.0, 0
    for now in range(1, len(depth)):
        both = valid[now - 1] & valid[now]
        d, t = (np.log(a[now][both]) - np.log(a[now - 1][both]) for a in (depth, truth))
        unexplained = np.abs(d - t)[np.abs(t) < still]
        total, count = total + float(unexplained.sum()), count + unexplained.size
    return total / count if count else np.nan
