"""Least-squares alignment of a prediction with the ground truth: scale, or scale and shift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flashdepth_ros.errors import InputError
from flashdepth_ros.metrics.pixels import Array, Mask, check_same_shape, is_known


@dataclass(frozen=True)
class Moments:
    """The sums that least squares needs; add those of frames to align data larger than memory."""

    count: int = 0
    prediction: float = 0.0
    truth: float = 0.0
    prediction_squared: float = 0.0
    product: float = 0.0

    @classmethod
    def of(cls, prediction: Array, truth: Array, mask: Mask | None = None) -> Moments:
        """Sum over pixels with known ground truth and a finite prediction, which may be <= 0."""
        check_same_shape(prediction, truth, mask)
        used = np.isfinite(prediction) & is_known(truth) & (True if mask is None else mask)
        p, t = (np.asarray(a[used], dtype=np.float64) for a in (prediction, truth))
        return cls(p.size, float(p.sum()), float(t.sum()), float(p @ p), float(p @ t))

    def __add__(self, other: Moments) -> Moments:
        """Return the moments of the union of both sets of pixels."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Moments(*(first + second for first, second in pairs))

    def scale(self) -> float:
        """Return the s that minimises sum (s p - t)^2, which is sum(p t) / sum(p^2)."""
        if self.prediction_squared == 0.0:
            raise InputError(
                f'no scale fits {self.count} pixels: all predictions are 0 or there is no pixel; '
                'check the mask and the limits of the ground truth'
            )
        return self.product / self.prediction_squared

    def scale_shift(self) -> tuple[float, float]:
        """Return the s and b that minimise sum (s p + b - t)^2."""
        spread = self.count * self.prediction_squared - self.prediction**2
        if spread <= 1e-12 * self.count * self.prediction_squared:
            raise InputError(
                f'no scale and shift fit {self.count} pixels of one predicted value; '
                'two different values are needed: align by scale only'
            )
        scale = (self.count * self.product - self.prediction * self.truth) / spread
        return scale, (self.truth - scale * self.prediction) / self.count


def align_scale(prediction: Array, truth: Array, mask: Mask | None = None) -> float:
    """
    Return the least-squares factor from the prediction to the ground truth.

    The arrays may have any shape, for example one frame or a whole sequence. The fit is made in
    the space of the arguments; the FlashDepth and Video Depth Anything papers fit inverse depth,
    once for the whole sequence.

    :raises InputError: there is no pixel to fit, or the shapes differ.
    """
    return Moments.of(prediction, truth, mask).scale()


def align_scale_shift(
    prediction: Array, truth: Array, mask: Mask | None = None
) -> tuple[float, float]:
    """Return (scale, shift) for scale * prediction + shift; otherwise like `align_scale`."""
    return Moments.of(prediction, truth, mask).scale_shift()


def frame_scales(prediction: Array, truth: Array, mask: Mask | None = None) -> Array:
    """Return the least-squares scale of each frame (T,), NaN for frames without ground truth."""
    check_same_shape(prediction, truth, mask)
    frames = (
        Moments.of(prediction[t], truth[t], None if mask is None else mask[t])
        for t in range(len(truth))
    )
    return np.array([m.scale() if m.prediction_squared else np.nan for m in frames])
