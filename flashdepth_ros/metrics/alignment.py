"""The scale and shift that bring a prediction nearest to the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flashdepth_ros.errors import InputError
from flashdepth_ros.metrics.pixels import Array, Mask, known, same_shape


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
        same_shape(prediction, truth, mask)
        counted = np.isfinite(prediction) & known(truth) & (True if mask is None else mask)
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


def frame_scales(prediction: Array, truth: Array, mask: Mask | None = None) -> Array:
    """Return each frame's own least-squares scale (T,), NaN for frames without truth."""
    same_shape(prediction, truth, mask)
    frames = (
        Moments.of(prediction[t], truth[t], None if mask is None else mask[t])
        for t in range(len(truth))
    )
    return np.array([m.scale() if m.prediction_squared else np.nan for m in frames])
