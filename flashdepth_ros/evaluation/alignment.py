"""Alignment of predicted inverse depth by scale and shift, and the aligned depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flashdepth_ros.errors import InputError
from flashdepth_ros.metrics import Moments

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Fit:
    """Alignment of predicted inverse depth: scale * inverse_depth + shift, in 1/m."""

    scale: float = 1.0
    shift: float = 0.0

    def depth(self, inverse_depth: Float32, minimum_m: float, maximum_m: float) -> Float32:
        """
        Return the aligned depth in metres, clipped to the limits; NaN stays NaN.

        Aligned inverse depth <= 0 gives the maximum: a surface predicted at infinity must be
        included in the error.
        """
        aligned = np.float32(self.scale) * inverse_depth + np.float32(self.shift)
        nearest, farthest = np.float32(1 / minimum_m), np.float32(1 / maximum_m)
        return np.asarray(np.float32(1.0) / np.clip(aligned, farthest, nearest), np.float32)


def fit_all(moments: Moments) -> dict[str, Fit | None]:
    """Return the fits of a sequence by name; None if its pixels do not determine the fit."""
    return {'none': Fit(), 'scale': fit_scale(moments), 'scale_shift': fit_scale_shift(moments)}


def fit_scale(moments: Moments) -> Fit | None:
    """Return the least-squares scale, or None."""
    try:
        return Fit(moments.scale())
    except InputError:
        return None


def fit_scale_shift(moments: Moments) -> Fit | None:
    """Return the least-squares scale and shift, or None."""
    try:
        return Fit(*moments.scale_shift())
    except InputError:
        return None
