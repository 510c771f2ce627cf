"""How well the boundaries of objects agree with the truth."""

from __future__ import annotations

import numpy as np

from flashdepth_ros.metrics.pixels import Array, Mask, mean, valid_pixels

#: Depth Pro's ten thresholds on the ratio of neighbouring depths.
BOUNDARY_THRESHOLDS = tuple(np.linspace(1.05, 1.25, 10).tolist())


def boundary_f1(depth: Array, truth: Array, mask: Mask | None = None) -> float:
    """
    Return how well occlusion boundaries agree, 0 to 1 (Depth Pro, arXiv:2410.02073).

    Pixel j is bounded by its neighbour i (left, right, above, below) at threshold r where
    d(j) / d(i) > r, which no scale changes. With the boundaries of prediction P and truth T as
    sets of ordered pairs, F1(r) = 2 |P and T| / (|P| + |T|), and a frame's score is the mean of
    F1 over the ten thresholds 1.05 to 1.25 in equal steps, weighted by the threshold. Frames of
    (..., H, W) are averaged. The four directions are counted together, as the paper has it (its
    code averages precision and recall over them); a threshold at which a frame has no boundary
    in either is left out.
    """
    valid = valid_pixels(depth, truth, mask)
    frames = (
        np.where(valid, array, np.nan).reshape(-1, *array.shape[-2:]) for array in (depth, truth)
    )
    scores = np.array([_frame_f1(d, t) for d, t in zip(*frames, strict=True)])
    return mean(scores[np.isfinite(scores)])


def _frame_f1(depth: Array, truth: Array) -> float:
    predicted, true = _neighbour_ratios(depth), _neighbour_ratios(truth)
    smallest = BOUNDARY_THRESHOLDS[0]
    some = [(ratio > smallest) | (ratio < 1 / smallest) for ratio in (predicted, true)]
    predicted, true = (ratio[some[0] | some[1]] for ratio in (predicted, true))
    scores, weights = [], []
    for threshold in BOUNDARY_THRESHOLDS:
        found, real = (
            (ratio > threshold).astype(np.int8) - (ratio < 1 / threshold)
            for ratio in (predicted, true)
        )
        boundaries = np.count_nonzero(found) + np.count_nonzero(real)
        if boundaries:
            scores.append(2 * np.count_nonzero((found == real) & (found != 0)) / boundaries)
            weights.append(threshold)
    return float(np.average(scores, weights=weights)) if scores else np.nan


def _neighbour_ratios(depth: Array) -> Array:
    across = depth[:, 1:] / depth[:, :-1]
    down = depth[1:] / depth[:-1]
    return np.concatenate([across.ravel(), down.ravel()])
