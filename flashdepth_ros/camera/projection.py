"""Depth of points that another sensor has measured, projected into the image."""

from __future__ import annotations

import cv2
import numpy as np

from flashdepth_ros.camera.geometry import Float32, Float64, Intrinsics, project

#: A point this many times farther than a neighbouring point is occluded from the camera.
_OCCLUSION_RATIO = 1.3
#: Radius of the neighbourhood, as a fraction of the image width.
_NEIGHBOURHOOD = 0.01


def depth_of_points(
    points: Float64, camera: Intrinsics, shape: tuple[int, int], stride: int
) -> Float32:
    """
    Return depth (H, W) in metres at the pixels nearest to the points; NaN without a point.

    The nearest point of a pixel is used. Points far behind a neighbouring point are left out: the
    lidar is at another position than the camera, from which they are occluded.

    :param points: (N, 3) in metres in the camera's optical frame.
    :param camera: intrinsics of the full image, with its lens distortion.
    :param shape: shape of the image subsampled by `stride`, see `sampling.subsample`.
    """
    pixels = np.rint((project(points, camera) - stride // 2) / stride)
    # Compared as floats: pixels may be NaN, or too large for an integer.
    inside = ((pixels >= 0) & (pixels < (shape[1], shape[0]))).all(axis=1)
    columns, rows = pixels[inside].astype(np.int64).T
    depth = np.full(shape, np.inf, np.float32)
    np.minimum.at(depth, (rows, columns), points[inside, 2].astype(np.float32))
    size = 2 * max(1, round(_NEIGHBOURHOOD * shape[1])) + 1
    nearest = local_minimum(depth, size)
    visible = np.isfinite(depth) & (depth <= _OCCLUSION_RATIO * nearest)
    return np.where(visible, depth, np.nan).astype(np.float32)


def local_minimum(depth: Float32, size: int) -> Float32:
    """Return the minimum of depth (H, W) in a square of `size` px around each pixel."""
    square = np.ones((size, size), np.uint8)
    return np.asarray(cv2.erode(depth, square, borderType=cv2.BORDER_REPLICATE), np.float32)
