"""Temporal stability of depth, without the motion of the camera."""

from __future__ import annotations

import numpy as np

from flashdepth_ros.metrics.alignment import frame_scales
from flashdepth_ros.metrics.pixels import Array, Mask, mean, valid_pixels


def drift_curve(scales: Array) -> Array:
    """
    Return the standard deviation of the first x scales over their mean, for each x, (T,).

    curve[x - 1] = std(s_1 .. s_x) / |mean(s_1 .. s_x)|, with the population deviation; NaN scales
    are skipped. It is 0 everywhere for a prediction whose scale never changes.
    """
    known = np.isfinite(scales)
    centre = mean(scales[known])
    count = np.where(np.cumsum(known), np.cumsum(known), np.nan)
    # The centre is subtracted first: the difference of large squares would lose digits.
    centred = np.where(known, scales - centre, 0.0)
    offset = np.cumsum(centred) / count
    variance = np.maximum(np.cumsum(centred**2) / count - offset**2, 0.0)
    return np.asarray(np.sqrt(variance) / np.abs(centre + offset))


def scale_drift(prediction: Array, truth: Array, mask: Mask | None = None) -> Array:
    """Return the drift curve (T,) of a sequence (T, H, W), in the space of the arguments."""
    return drift_curve(frame_scales(prediction, truth, mask))


def flicker(depth: Array, truth: Array, mask: Mask | None = None, still: float = 0.05) -> float:
    """
    Return how much depth (T, H, W) changes at fixed pixels in excess of the true change.

    It is the mean of |ln(d'/d) - ln(t'/t)| over consecutive frames and pixels, for small changes
    the relative change that the scene does not explain; it does not depend on the scale of d. Only
    pixels whose true depth changes little are compared, |ln(t'/t)| < `still`, which excludes
    moving edges.
    """
    valid = valid_pixels(depth, truth, mask)
    total, count = 0.0, 0
    for now in range(1, len(depth)):
        both = valid[now - 1] & valid[now]
        d, t = (np.log(a[now][both]) - np.log(a[now - 1][both]) for a in (depth, truth))
        unexplained = np.abs(d - t)[np.abs(t) < still]
        total, count = total + float(unexplained.sum()), count + unexplained.size
    return total / count if count else np.nan
