"""Resize maps of inverse depth without a depth where there is no surface."""

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def resize_inverse_depth(inverse_depth: Array, size: tuple[int, int], dense: bool) -> Array:
    """
    Return a map (H, W) at `size` (height, width, px); every value is one of the map, or NaN.

    A dense map is sampled: a mean over an edge would be a depth where there is no surface. Of a
    sparse one, such as a lidar's, sampling would lose most points when it shrinks. So each point
    moves to the pixel that contains it; of several points there the nearest one remains, because
    it hides the others.

    :param inverse_depth: 1/m; 0: infinitely far, NaN: unknown.
    :param dense: whether known pixels have known neighbours: see `camera.sampling.is_dense`.
    """
    if dense:
        resized = cv2.resize(inverse_depth, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        return np.asarray(resized, np.float32)
    known = np.nonzero(np.isfinite(inverse_depth))
    rows, columns = (
        (2 * index + 1) * new // (2 * old)
        for index, new, old in zip(known, size, inverse_depth.shape, strict=True)
    )
    nearest = np.full(size, -np.inf, np.float32)
    np.maximum.at(nearest, (rows, columns), inverse_depth[known])
    return np.where(nearest >= 0, nearest, np.float32(np.nan))
