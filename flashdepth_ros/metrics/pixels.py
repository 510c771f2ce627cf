"""Selection of the pixels at which depth and true depth are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.errors import InputError

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]


def valid_pixels(depth: Array, truth: Array, mask: Mask | None = None) -> Mask:
    """Return where both depths are finite and > 0 and the optional mask is true."""
    check_same_shape(depth, truth, mask)
    valid: Mask = is_known(depth) & is_known(truth)
    return valid if mask is None else valid & mask


def is_known(depth: Array) -> Mask:
    """Return where depth is finite and > 0."""
    return np.asarray(np.isfinite(depth) & (depth > 0))


def check_same_shape(prediction: Array, truth: Array, mask: Mask | None) -> None:
    """Raise InputError if the shapes of the arrays differ."""
    shapes = [np.shape(a) for a in (prediction, truth, mask) if a is not None]
    if len(set(shapes)) > 1:
        raise InputError(
            f'prediction, ground truth (and mask) have shapes {shapes}; they must have the same '
            'shape: resize the prediction first, as inverse depth'
        )


def valid_values(depth: Array, truth: Array, mask: Mask | None) -> tuple[Array, Array]:
    """Return the depths (N,) and the true depths (N,) of the valid pixels, in float64."""
    valid = valid_pixels(depth, truth, mask)
    return depth[valid].astype(np.float64), truth[valid].astype(np.float64)


def mean(values: NDArray[Any]) -> float:
    """Return the mean; NaN if there are no values."""
    return float(values.mean()) if values.size else np.nan
