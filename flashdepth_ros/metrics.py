"""
Depth against truth: alignment, accuracy, boundaries, and steadiness over time; numpy only.

Depths are Z in metres, in arrays that end in (H, W), or (T, H, W) where time matters. A pixel
counts where both depths are finite and > 0 and the mask, if there is one, is true. A metric that
has no pixel to look at is NaN; an alignment that has too few raises InputError.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.errors import InputError
from flashdepth_ros.reprojection import tae

__all__ = [
    'Moments',
    'abs_rel',
    'align_scale',
    'align_scale_shift',
    'boundary_f1',
    'delta',
    'delta1',
    'drift_curve',
    'flicker',
    'frame_scales',
    'rmse',
    'scale_drift',
    'tae',
    'valid_pixels',
]

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

#: Depth Pro's ten thresholds on the ratio of neighbouring depths.
BOUNDARY_THRESHOLDS = tuple(np.linspace(1.05, 1.25, 10).tolist())


@dataclass(frozen=True)
class Moments:
    """The sums least squares needs; add those of frames to align what does not fit in memory."""

    count: int = 0
    prediction: float = 0.0
    truth: float = 0.0
    prediction_squared: float = 0.0
    product: float = 0.0

    @classmethod
    def of(cls, prediction: Array, truth: Array, mask: Mask | None = None) -> Moments:
        """Sum over finite predictions (0 and below too: inverse depth has them) of true pixels."""
        _same_shape(prediction, truth, mask)
        counted = np.isfinite(prediction) & _known(truth) & (True if mask is None else mask)
        p, t = (np.asarray(a[counted], dtype=np.float64) for a in (prediction, truth))
        return cls(p.size, float(p.sum()), float(t.sum()), float(p @ p), float(p @ t))

    def __add__(self, other: Moments) -> Moments:
        """Return the moments of both sets of pixels together."""
        sums = zip(vars(self).values(), vars(other).values(), strict=True)
        return Moments(*(mine + its for mine, its in sums))

    def scale(self) -> float:
        """Return the s that minimises sum (s p - t)^2, which is sum(p t) / sum(p^2)."""
        if self.prediction_squared == 0.0:
            raise InputError(
                f'no scale fits {self.count} pixels without a prediction other than '
                '0; one is needed: look at the mask and the limits of the truth'
            )
        return self.product / self.prediction_squared

    def scale_shift(self) -> tuple[float, float]:
        """Return the s and b that minimise sum (s p + b - t)^2."""
        spread = self.count * self.prediction_squared - self.prediction**2
        if spread <= 1e-12 * self.count * self.prediction_squared:
            raise InputError(
                f'no scale and shift fit {self.count} pixels of one predicted value; '
                'two different values are needed: align the scale alone'
            )
        scale = (self.count * self.product - self.prediction * self.truth) / spread
        return scale, (self.truth - scale * self.prediction) / self.count


def align_scale(prediction: Array, truth: Array, mask: Mask | None = None) -> float:
    """
    Return the factor that brings the prediction nearest to the truth by least squares.

    Any shape, so one frame or a whole sequence; in the space that is passed. The protocol of the
    FlashDepth and Video Depth Anything papers is inverse depth, one alignment a sequence.

    :raises InputError: where no pixel counts.
    """
    return Moments.of(prediction, truth, mask).scale()


def align_scale_shift(
    prediction: Array, truth: Array, mask: Mask | None = None
) -> tuple[float, float]:
    """Return (scale, shift) for scale * prediction + shift; otherwise as `align_scale`."""
    return Moments.of(prediction, truth, mask).scale_shift()


def valid_pixels(depth: Array, truth: Array, mask: Mask | None = None) -> Mask:
    """Return where both depths are finite and > 0 and the mask, if there is one, is true."""
    _same_shape(depth, truth, mask)
    valid: Mask = _known(depth) & _known(truth)
    return valid if mask is None else valid & mask


def abs_rel(depth: Array, truth: Array, mask: Mask | None = None) -> float:
    """Return AbsRel, the mean of |d - t| / t (Eigen et al., 2014)."""
    d, t = _counted(depth, truth, mask)
    return _mean(np.abs(d - t) / t)


def rmse(depth: Array, truth: Array, mask: Mask | None = None) -> float:
    """Return the root of the mean of (d - t)^2, in metres."""
    d, t = _counted(depth, truth, mask)
    return float(np.sqrt(_mean((d - t) ** 2)))


def delta(depth: Array, truth: Array, mask: Mask | None = None, power: int = 1) -> float:
    """Return the share of pixels with max(d / t, t / d) < 1.25 ** power (Eigen et al., 2014)."""
    d, t = _counted(depth, truth, mask)
    return _mean(np.maximum(d / t, t / d) < 1.25**power)


def delta1(depth: Array, truth: Array, mask: Mask | None = None) -> float:
    """Return the share of pixels within a factor of 1.25 of the truth."""
    return delta(depth, truth, mask, power=1)


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
    return _mean(scores[np.isfinite(scores)])


def frame_scales(prediction: Array, truth: Array, mask: Mask | None = None) -> Array:
    """Return each frame's own least-squares scale (T,), NaN for frames without truth."""
    _same_shape(prediction, truth, mask)
    frames = (
        Moments.of(prediction[t], truth[t], None if mask is None else mask[t])
        for t in range(len(truth))
    )
    return np.array([m.scale() if m.prediction_squared else np.nan for m in frames])


def drift_curve(scales: Array) -> Array:
    """
    Return for each x the deviation of the first x scales over their mean, (T,).

    curve[x - 1] = std(s_1 .. s_x) / |mean(s_1 .. s_x)|, the population deviation, NaN scales
    skipped; 0 throughout for a prediction whose scale never changes.
    """
    known = np.isfinite(scales)
    centre = _mean(scales[known])
    count = np.where(np.cumsum(known), np.cumsum(known), np.nan)
    # The centre is taken off first, so that the difference of squares keeps its digits.
    off = np.where(known, scales - centre, 0.0)
    mean = np.cumsum(off) / count
    variance = np.maximum(np.cumsum(off**2) / count - mean**2, 0.0)
    return np.asarray(np.sqrt(variance) / np.abs(centre + mean))


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


def _known(depth: Array) -> Mask:
    return np.asarray(np.isfinite(depth) & (depth > 0))


def _same_shape(prediction: Array, truth: Array, mask: Mask | None) -> None:
    shapes = [np.shape(a) for a in (prediction, truth, mask) if a is not None]
    if len(set(shapes)) > 1:
        raise InputError(
            f'prediction, truth (and mask) have shapes {shapes}; they must be of one '
            'shape: resize the prediction in inverse depth first'
        )


def _counted(depth: Array, truth: Array, mask: Mask | None) -> tuple[Array, Array]:
    valid = valid_pixels(depth, truth, mask)
    return depth[valid].astype(np.float64), truth[valid].astype(np.float64)


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if values.size else np.nan


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
