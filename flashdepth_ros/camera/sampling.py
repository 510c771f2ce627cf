"""Sample two maps of one view at the same pixels, without averaging across depth edges."""

from dataclasses import replace
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.camera.geometry import Float32, Intrinsics
from flashdepth_ros.errors import InputError

#: Relative tolerance of the aspect ratio of two images of one view, because of rounding.
_ASPECT_TOLERANCE = 0.03
#: Networks round the sizes of their inputs to multiples of this, px.
_ROUNDED_TO = 14
#: Least fraction of the known pixels whose right neighbour is known, too, in a dense map.
_DENSE = 0.75

Pixel = TypeVar('Pixel', np.float32, np.uint8)


def stride_for(shape: tuple[int, ...], pixels_max: int) -> int:
    """Return the smallest stride that subsamples an image to at most `pixels_max` pixels."""
    return max(1, int(np.ceil(np.sqrt(shape[0] * shape[1] / pixels_max))))


def subsample(image: npt.NDArray[Pixel], stride: int) -> npt.NDArray[Pixel]:
    """Return the centre pixel of every stride x stride block of an image (H, W, ...)."""
    return image[stride // 2 :: stride, stride // 2 :: stride]


def has_aspect(size: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Return whether images (H, W) of these sizes can be of one view, up to rounding."""
    expected = size[0] * shape[1] / size[1]
    if abs(expected - shape[0]) <= max(1.0, _ASPECT_TOLERANCE * shape[0]):
        return True
    return _is_rounded(size, shape) or _is_rounded(shape, size)


def _is_rounded(size: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Return whether `size` is `shape` times a factor, rounded as for the input of a network."""
    if any(length % _ROUNDED_TO for length in size[:2]):
        return False
    factors = [
        [(length + change) / original for change in (-_ROUNDED_TO / 2, _ROUNDED_TO / 2)]
        for length, original in zip(size[:2], shape[:2], strict=True)
    ]
    return max(low for low, _ in factors) <= min(high for _, high in factors)


def resample(inverse_depth: Float32, shape: tuple[int, ...]) -> Float32:
    """
    Return inverse depth (H, W) at the pixels of another image of the same view.

    For a smaller image, take the pixel at the centre of each of its pixels, as depth cameras
    subsample their images. For a larger one, interpolate bilinearly, which is exact on planes.

    :param shape: (H, W) of the other image.
    :raises InputError: the aspect ratios differ, so the images are from different cameras.
    """
    height, width = inverse_depth.shape
    if not has_aspect((height, width), shape):
        raise InputError(
            f'depth of {width} x {height} px and true depth of {shape[1]} x {shape[0]} px have '
            'different aspect ratios; expected images of the same camera'
        )
    if shape[0] > height or shape[1] > width:
        larger = cv2.resize(inverse_depth, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
        return np.asarray(larger, np.float32)
    rows, columns = (
        ((np.arange(count) + 0.5) * size / count).astype(np.intp)
        for count, size in zip(shape, inverse_depth.shape, strict=True)
    )
    return inverse_depth[np.ix_(rows, columns)]


def subsampled_intrinsics(intrinsics: Intrinsics, stride: int) -> Intrinsics:
    """Return the intrinsics of the image that `subsample` returns."""
    width, height = (
        len(range(stride // 2, size, stride)) for size in (intrinsics.width, intrinsics.height)
    )
    return replace(
        intrinsics,
        width=width,
        height=height,
        fx=intrinsics.fx / stride,
        fy=intrinsics.fy / stride,
        cx=(intrinsics.cx - stride // 2) / stride,
        cy=(intrinsics.cy - stride // 2) / stride,
    )


def is_dense(depth: Float32) -> bool:
    """Return whether most known pixels (H, W) have a known right neighbour, unlike a lidar's."""
    known = np.isfinite(depth)
    return np.count_nonzero(known[:, 1:] & known[:, :-1]) >= _DENSE * known[:, :-1].sum()
