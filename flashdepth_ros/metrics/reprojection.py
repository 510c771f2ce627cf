"""Temporal alignment error: depth of one frame, reprojected into the next, against its depth."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.errors import InputError

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

#: Two depths within this ratio are treated as one surface.
SAME_SURFACE = 1.1


class Pinhole(Protocol):
    """Focal lengths and principal point, in pixels; pixel centres have whole coordinates."""

    @property
    def fx(self) -> float: ...
    @property
    def fy(self) -> float: ...
    @property
    def cx(self) -> float: ...
    @property
    def cy(self) -> float: ...


def tae(
    depths: Array,
    poses: Array,
    intrinsics: Pinhole,
    mask: Mask | None = None,
    truth: Array | None = None,
) -> float:
    """
    Return the temporal alignment error (Video Depth Anything, arXiv:2501.12375) of a sequence.

    Each pixel of frame t is reprojected into frame t + 1 with the true camera motion. Its new
    depth p is compared with the depth d at that position: the mean of |p - d| / d. The same is
    done from t + 1 to t, and the result is averaged over both directions of all pairs that share
    a pixel. It is a fraction, not per cent.

    The depth at a position is interpolated from the four pixels around it, bilinearly in inverse
    depth, which is exact on planes. Excluded are positions outside the image, next to an unknown
    pixel, or between pixels of different surfaces (a ratio over 1.1), and occluded points: those
    more than that ratio behind the depth at their position. `truth`, if given, decides which
    points are occluded, so that all predictions are compared on the same pixels.

    :param depths: (T, H, W) metres, aligned to the ground truth; T, H and W at least 2.
    :param poses: (T, 4, 4) camera (x right, y down, z forward) to world, metres.
    :param mask: (T, H, W), the pixels to use.
    :param truth: (T, H, W) metres.
    :returns: the error, or NaN if no two frames share a pixel.
    :raises InputError: the shapes do not match.
    """
    _check(depths, poses, mask, truth)
    errors = []
    for t in range(1, len(depths)):
        for pair in ([t - 1, t], [t, t - 1]):
            motion = np.linalg.inv(poses[pair[1]]) @ poses[pair[0]]
            depth = _known(depths[pair], None if mask is None else mask[pair])
            projected, target = _reproject(depth, motion, intrinsics)
            true_projected, true_target = (
                (projected, target)
                if truth is None
                else _reproject(_known(truth[pair], None), motion, intrinsics)
            )
            shared = (true_projected <= SAME_SURFACE * true_target) & np.isfinite(target)
            if shared.any():
                errors.append(np.mean(np.abs(projected - target)[shared] / target[shared]))
    return float(np.mean(errors)) if errors else np.nan


def _check(depths: Array, poses: Array, mask: Mask | None, truth: Array | None) -> None:
    shapes = {np.shape(array) for array in (depths, mask, truth) if array is not None}
    if len(shapes) > 1 or np.ndim(depths) != 3 or min(np.shape(depths)) < 2:
        raise InputError(
            f'depths, mask and ground truth have shapes {sorted(shapes)}; expected one '
            'shape (T, H, W) with at least two frames of 2 x 2 pixels'
        )
    if np.shape(poses) != (len(depths), 4, 4):
        raise InputError(
            f'poses have shape {np.shape(poses)}; expected one 4 x 4 camera-to-world '
            f'matrix for each of the {len(depths)} frames'
        )


def _known(depths: Array, mask: Mask | None) -> Array:
    known = np.isfinite(depths) & (depths > 0)
    if mask is not None:
        known &= mask
    return np.where(known, depths, np.nan).astype(np.float64)


def _reproject(depths: Array, motion: Array, camera: Pinhole) -> tuple[Array, Array]:
    """Return each pixel's depth in the second frame, and the second frame's depth there."""
    source, target = depths
    v, u = np.indices(source.shape)
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones_like(u)])
    x, y, z = np.tensordot(motion[:3, :3], rays * source, axes=1) + motion[:3, 3, None, None]
    z = np.where(z > 0, z, np.nan)
    return z, _sample(target, camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy)


def _sample(depth: Array, u: Array, v: Array) -> Array:
    """Return the depth at positions (u, v) in pixels; NaN where unknown or on two surfaces."""
    height, width = depth.shape
    inside = (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
    u, v = np.where(inside, u, 0.0), np.where(inside, v, 0.0)
    left = np.minimum(u.astype(np.intp), width - 2)
    top = np.minimum(v.astype(np.intp), height - 2)
    inverse = 1 / depth
    corners = np.stack([inverse[top + i, left + j] for i in (0, 1) for j in (0, 1)])
    right, down = u - left, v - top
    weights = np.stack(
        [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]
    )
    one_surface = corners.max(axis=0) <= SAME_SURFACE * corners.min(axis=0)
    return np.asarray(np.where(inside & one_surface, 1 / (weights * corners).sum(axis=0), np.nan))
