"""
Camera geometry: intrinsics, rays, projection; depth, inverse depth and depth edges.

The centre of the top left pixel is at (0, 0). The optical frame is that of REP 103: x right,
y down, z forward. Depth is z in metres (REP 118).
"""

from dataclasses import dataclass, replace
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from flashdepth_ros.camera.lens import Lens
from flashdepth_ros.errors import ConfigError, InputError

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Intrinsics:
    """
    Image size, focal lengths and principal point of a camera, in pixels, and its distortion.

    :param distortion_model: '' for none, 'plumb_bob', 'rational_polynomial' or 'equidistant'.
    :param distortion: coefficients of the model, in the order of `flashdepth_ros.camera.lens`.
    :raises InputError: a size is not positive, a focal length is not positive, a number is not
        finite, or the distortion does not fit its model.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion_model: str = ''
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise InputError(f'image size {self.width} x {self.height} px; both must be positive')
        if not all(map(math.isfinite, (self.fx, self.fy, self.cx, self.cy))):
            raise InputError(
                f'camera matrix fx={self.fx} fy={self.fy} cx={self.cx} cy={self.cy} px; '
                'all must be finite: calibrate the camera'
            )
        if self.fx <= 0 or self.fy <= 0:
            raise InputError(
                f'focal lengths fx={self.fx} fy={self.fy} px; both must be positive: '
                'calibrate the camera'
            )
        Lens(self.distortion_model, self.distortion)

    @property
    def lens(self) -> Lens:
        """The distortion on the normalised image plane."""
        return Lens(self.distortion_model, self.distortion)

    @property
    def matrix(self) -> Float64:
        """The camera matrix K (3, 3)."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def with_lens(self, lens: Lens) -> 'Intrinsics':
        """Return the same camera with another lens."""
        return replace(self, distortion_model=lens.model, distortion=lens.coefficients)

    def resized(self, width: int, height: int) -> 'Intrinsics':
        """
        Return the intrinsics of the same image scaled to another size.

        The outer edges of the image are kept (half-pixel centres), as in `cv2.resize` and in
        `F.interpolate` with align_corners=False.
        """
        scale_x, scale_y = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * scale_x,
            fy=self.fy * scale_y,
            cx=(self.cx + 0.5) * scale_x - 0.5,
            cy=(self.cy + 0.5) * scale_y - 0.5,
        )

    def cropped(self, x: int, y: int, width: int, height: int) -> 'Intrinsics':
        """
        Return the intrinsics of the window whose top left pixel is (x, y).

        :raises InputError: the window is empty or exceeds the image.
        """
        inside = 0 <= x <= x + width <= self.width and 0 <= y <= y + height <= self.height
        if not inside:
            raise InputError(
                f'window {width} x {height} px at ({x}, {y}) is not inside the image of '
                f'{self.width} x {self.height} px'
            )
        return replace(self, width=width, height=height, cx=self.cx - x, cy=self.cy - y)


def rays(intrinsics: Intrinsics, stride: int = 1) -> Float32:
    """
    Return x/z and y/z of the pixels 0, stride, 2 stride, ... as (h, w, 2).

    The rays are undistorted; NaN where the model cannot be inverted (see `Lens`).

    :raises ConfigError: the stride is not positive.
    """
    if stride < 1:
        raise ConfigError(f'stride {stride} px; expected 1 or more')
    columns = (np.arange(0, intrinsics.width, stride) - intrinsics.cx) / intrinsics.fx
    rows = (np.arange(0, intrinsics.height, stride) - intrinsics.cy) / intrinsics.fy
    x, y = np.meshgrid(columns, rows)
    return np.stack(intrinsics.lens.undistort(x, y), axis=-1).astype(np.float32)


def project(points: npt.NDArray[np.floating], intrinsics: Intrinsics) -> Float64:
    """
    Return the pixels (..., 2) of points (..., 3) in metres in the optical frame.

    A pixel may be outside the image. It is NaN if the point is behind the camera or outside the
    valid field of the distortion model, where the model is not monotonic.
    """
    x, y, z = np.moveaxis(np.asarray(points, np.float64), -1, 0)
    z = np.where(z > 0, z, np.nan)
    x, y = intrinsics.lens.distort(x / z, y / z)
    return np.stack(
        (x * intrinsics.fx + intrinsics.cx, y * intrinsics.fy + intrinsics.cy), axis=-1
    )


def back_project(depth: Float32, rays: Float32, out: Float32 | None = None) -> Float32:
    """
    Return the organised points (h, w, 3) in metres, NaN where depth is not finite or not > 0.

    :param depth: (h, w) in metres, at the pixels of the rays.
    :param rays: (h, w, 2), from `rays`.
    :param out: (h, w, 3) array for the result, such as a slice of a wider array.
    :raises InputError: depth and rays differ in size.
    """
    if depth.shape != rays.shape[:2]:
        raise InputError(
            f'depth of shape {depth.shape} does not match rays of shape {rays.shape}; '
            'compute the rays for this size and stride'
        )
    points = np.empty((*depth.shape, 3), np.float32) if out is None else out
    z = np.array(depth, np.float32)
    z[~((z > 0) & (z < np.inf))] = np.nan
    np.multiply(rays[..., 0], z, out=points[..., 0])
    np.multiply(rays[..., 1], z, out=points[..., 1])
    points[..., 2] = z
    return points


def invert(values: Float32) -> Float32:
    """Convert depth to inverse depth or back: 0 becomes +Inf, +Inf becomes 0, NaN stays NaN."""
    with np.errstate(divide='ignore'):
        # Adding zero turns -0.0 into 0.0, so that its inverse is +Inf and not -Inf.
        return np.float32(1.0) / (np.asarray(values, np.float32) + np.float32(0.0))


def depth_from_inverse(
    inverse_depth: Float32,
    scale: float = 1.0,
    minimum: float = 0.0,
    maximum: float = math.inf,
) -> Float32:
    """
    Convert inverse depth (1/m) to depth (metres) with the special values of REP 117.

    The result is +Inf beyond `maximum` and for inverse depth <= 0, -Inf below `minimum`, and NaN
    for NaN.

    :param scale: multiplies depth before the limits are applied.
    :raises ConfigError: the scale is not positive, or the limits are not in ascending order.
    """
    if not (0 < scale < math.inf and 0 <= minimum < maximum):
        raise ConfigError(
            f'depth scale {scale}, limits {minimum} to {maximum} m; '
            'expected a positive scale and 0 <= minimum < maximum'
        )
    # Values slightly below zero come from overshoot in resizing; they and -0.0 mean far, not near.
    depth = np.maximum(np.asarray(inverse_depth, np.float32), np.float32(0.0))
    depth += np.float32(0.0)
    with np.errstate(divide='ignore', over='ignore'):
        np.divide(np.float32(scale), depth, out=depth)
    np.copyto(depth, np.inf, where=depth > maximum)
    np.copyto(depth, -np.inf, where=depth < minimum)
    return depth


def matrix_numbers(matrix: npt.ArrayLike) -> tuple[float, ...]:
    """
    Return the numbers of a camera matrix row by row.

    :param matrix: K, nine numbers or (3, 3).
    :raises InputError: it is something else.
    """
    try:
        numbers = np.asarray(matrix, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f'the camera matrix is no matrix: {error}') from error
    if numbers.shape not in ((9,), (3, 3)):
        raise InputError(
            f'got a camera matrix of shape {numbers.shape}; nine numbers or (3, 3) expected'
        )
    return tuple(numbers.ravel().tolist())


def canonical_scale(focal_px: float, size: tuple[int, int], canonical_focal: float) -> float:
    """
    Return the factor from canonical depth to depth of this camera (arXiv 2307.10984).

    It is the ratio of the focal lengths: with twice the focal length, an object of the same size
    in the image is twice as far away.

    :param size: height and width of the image, px.
    :param canonical_focal: focal length of the canonical camera over its image's short side.
    """
    return focal_px / (min(size) * canonical_focal)


def edge_mask(depth: Float32, threshold: float, stride: int = 1) -> npt.NDArray[np.bool_]:
    """
    Return a mask of pixels at a depth jump to one of their four neighbours, on both sides.

    A jump is a difference larger than `threshold` times the nearer depth. A finite next to an
    infinite depth (the sky) is a jump; NaN and equal infinities are not.

    :param depth: (h, w) in metres.
    :param stride: compute the mask for every n-th pixel of every n-th row only.
    """
    mask = np.zeros(depth[::stride, ::stride].shape, np.bool_)
    mark_edges(mask, depth, threshold, stride)
    return mask


def mark_edges(mask: Any, depth: Any, threshold: float, stride: int) -> None:
    """Set the pixels of `edge_mask` in a mask of False; both are arrays, or both tensors."""
    for lines, edges in (depth[:, ::stride], mask), (depth.T[:, ::stride], mask.T):
        after = _jumps(lines[:-1:stride], lines[1::stride], threshold)
        # At stride 1 the jump after a line is the jump before the next line.
        before = after
        if stride > 1:
            before = _jumps(lines[stride - 1 : -1 : stride], lines[stride::stride], threshold)
        edges[: len(after)] |= after
        edges[1 : 1 + len(before)] |= before


def _jumps(first: Any, second: Any, threshold: float) -> Any:
    farthest = 1.0 + threshold
    return (first > second * farthest) | (second > first * farthest)
