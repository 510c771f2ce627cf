"""Accuracy of occlusion boundaries."""

from __future__ import annotations

import numpy as np

from flashdepth_ros.metrics.pixels import Array, Mask, mean, valid_pixels

#: Depth Pro's ten thresholds on the ratio of neighbouring depths.
BOUNDARY_THRESHOLDS = tuple(np.linspace(1.05, 1.25, 10).tolist())


def boundary_f1(depth: Array, truth: Array, mask: Mask | None = None) -> float:
    """
    Return the F1 score of occlusion boundaries, 0 to 1 (Depth Pro, arXiv:2410.02073).

    Neighbouring pixels i, j (left, right, above, below) have a boundary at threshold r where
    d(j) / d(i) > r, which does not depend on the scale of d. With the boundaries of prediction P
    and ground truth T as sets of ordered pairs, F1(r) = 2 |P and T| / (|P| + |T|). The score of a
    frame is the mean of F1 over ten thresholds from 1.05 to 1.25 in equal steps, weighted by the
    threshold. Frames of (..., H, W) are averaged. The four directions are counted together, as in
    the paper (its code averages precision and recall over them). A threshold at which neither
    depth nor truth has a boundary is left out.
    """
    valid = valid_pixels(depth, truth, mask)
    frames = (
        np.where(valid, array, np.nan).reshape(-1, *array.shape[-2:]) for array in (depth, truth)
    )
    scores = np.array([_frame_f1(d, t) for d, t in zip(*frames, strict=True)])
    return mean(scores[np.isfinite(scores)])


def _frame_f1(depth: Array, truth: Array) -> float:
    predicted, true = _neighbour_ratios(depth), _neighbour_ratios(truth)
    # Only pairs with a boundary at the smallest threshold can have one at a larger threshold.
    smallest = BOUNDARY_THRESHOLDS[0]
    candidates = [(ratio > smallest) | (ratio < 1 / smallest) for ratio in (predicted, true)]
    predicted, true = (ratio[candidates[0] | candidates[1]] for ratio in (predicted, true))
    scores, weights = [], []
    for threshold in BOUNDARY_THRESHOLDS:
        predicted_sign, true_sign = (
            (ratio > threshold).astype(np.int8) - (ratio < 1 / threshold)
            for ratio in (predicted, true)
        )
        boundaries = np.count_nonzero(predicted_sign) + np.count_nonzero(true_sign)
        if boundaries:
            matches = (predicted_sign == true_sign) & (predicted_sign != 0)
            scores.append(2 * np.count_nonzero(matches) / boundaries)
            weights.append(threshold)
    return float(np.average(scores, weights=weights)) if scores else np.nan


def _neighbour_ratios(depth: Array) -> Array:
    across = depth[:, 1:] / depth[:, :-1]
    down = depth[1:] / depth[:-1]
    return np.concatenate([across.ravel(), down.ravel()])
