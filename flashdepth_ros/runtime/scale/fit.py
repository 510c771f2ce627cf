"""Fit a network's inverse depth to known depth, against outliers: scale, or scale and shift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flashdepth_ros.errors import InputError

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

INLIER_RATIO = 1.25
"""A sample is an inlier if predicted and known depth differ by less than this factor."""
_STEPS = 6
_CUT = 4.685
"""Samples farther from the fit than this many standard deviations have no weight (Tukey)."""
_DEVIATION_MIN = 1e-3
"""Smallest standard deviation, as a share of depth, so that exact samples keep their weights."""
_SPREAD_MIN = 0.1
"""A shift needs predictions that differ from their mean by at least this share."""


@dataclass(frozen=True)
class Scale:
    """What turns predicted inverse depth into metres: 1/depth = inverse depth / factor + shift."""

    factor: float = 1.0
    """Multiplies depth, as `depth.scale`."""
    shift: float = 0.0
    """In 1/m."""

    def invert(self, inverse_depth: Float32) -> Float32:
        """Return inverse depth in 1/m, of the same shape, for predicted inverse depth."""
        metric = inverse_depth * np.float32(1 / self.factor)
        return metric + np.float32(self.shift) if self.shift else metric

    def offset(self, inverse_depth: Float32) -> Float32:
        """Return inverse depth whose depth is only to be multiplied by the factor."""
        if not self.shift:
            return inverse_depth
        return inverse_depth + np.float32(self.shift * self.factor)


@dataclass(frozen=True)
class Samples:
    """Predicted inverse depth and known inverse depth in 1/m at the same pixels, (N,) each."""

    predicted: Float32
    known: Float32

    def __len__(self) -> int:
        return len(self.predicted)

    @staticmethod
    def joined(parts: list[Samples]) -> Samples:
        """Return the samples of several frames as one."""
        return Samples(
            np.concatenate([each.predicted for each in parts]),
            np.concatenate([each.known for each in parts]),
        )


@dataclass(frozen=True)
class ScaleFit:
    """A fitted scale, and how well the samples agree with it."""

    scale: Scale
    samples: int
    inliers: float
    """Share of the samples within `INLIER_RATIO`."""
    residual: float
    """Median difference of the inliers, as a share of depth."""


def fit_samples(samples: Samples, model: str = 'scale') -> ScaleFit:
    """
    Return the scale at which most samples agree.

    The start is the median of the ratios, or the smallest sum of absolute residuals for a shift;
    weights that fall to 0 far from the fit (Tukey's) then take outliers out.

    :param model: 'scale' or 'scale_shift'.
    :raises InputError: there are no samples, or they do not determine the scale.
    """
    usable = (samples.predicted > 0) & (samples.known > 0)
    predicted = samples.predicted[usable].astype(np.float64)
    known = samples.known[usable].astype(np.float64)
    if not len(known):
        raise InputError('no pixel has both predicted and known depth')
    scale = _fit_scale(predicted, known)
    if model == 'scale_shift':
        scale = _fit_scale_shift(predicted, known, scale)
    differences = np.abs(_log_ratio(predicted, known, scale))
    close = differences < np.log(INLIER_RATIO)
    residual = float(np.expm1(np.median(differences[close]))) if close.any() else float('inf')
    return ScaleFit(scale, len(known), float(close.mean()), residual)


def _fit_scale(predicted: Float64, known: Float64) -> Scale:
    ratios = np.log(predicted) - np.log(known)
    centre = float(np.median(ratios))
    deviation = max(_deviation(ratios - centre), _DEVIATION_MIN)
    for _ in range(_STEPS):
        weights = _tukey((ratios - centre) / deviation)
        centre = float(weights @ ratios / weights.sum())
    return Scale(float(np.exp(centre)))


def _fit_scale_shift(predicted: Float64, known: Float64, start: Scale) -> Scale:
    """Return the fit of slope and shift in inverse depth; its start has no shift."""
    if np.ptp(np.quantile(predicted, (0.1, 0.9))) < _SPREAD_MIN * predicted.mean():
        raise InputError(
            'a shift cannot be fitted: all points of the reference are at about one distance; '
            'set scale.model to scale'
        )
    slope, shift = 1 / start.factor, 0.0
    floor = _DEVIATION_MIN * float(np.median(known))
    for _ in range(2 * _STEPS):
        residuals = np.abs(slope * predicted + shift - known)
        slope, shift = _line(predicted, known, 1 / np.maximum(residuals, floor))
    deviation = max(_deviation(slope * predicted + shift - known), floor)
    for _ in range(_STEPS):
        weights = _tukey((slope * predicted + shift - known) / deviation)
        slope, shift = _line(predicted, known, weights)
    if not slope > 0:
        raise InputError(
            'the fit has inverse depth that falls where that of the reference rises: is the '
            'reference of the same camera, and at the same time?'
        )
    return Scale(1 / slope, shift)


def _line(x: Float64, y: Float64, weights: Float64) -> tuple[float, float]:
    """Return slope and intercept of the weighted least-squares line."""
    total = weights.sum()
    mean_x, mean_y = weights @ x / total, weights @ y / total
    centred = weights * (x - mean_x)
    slope = float(centred @ y / max(float(centred @ x), 1e-12))
    return slope, float(mean_y - slope * mean_x)


def _log_ratio(predicted: Float64, known: Float64, scale: Scale) -> Float64:
    """Return the logarithm of known over predicted depth; +Inf if that is not positive."""
    metric = predicted / scale.factor + scale.shift
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.where(metric > 0, np.log(metric) - np.log(known), np.inf)


def _deviation(residuals: Float64) -> float:
    """Return the standard deviation from the median absolute residual."""
    return 1.4826 * float(np.median(np.abs(residuals)))


def _tukey(normalised: Float64) -> Float64:
    return np.maximum(1 - (normalised / _CUT) ** 2, 0.0) ** 2
