"""Bring two maps of one view to the same pixels, without mixing what lies beside an edge."""

from dataclasses import replace
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.camera.geometry import Float32, Intrinsics
from flashdepth_ros.errors import InputError

#: By this share, or one pixel, the proportions of two pictures of one view may differ: rounding.
_PROPORTIONS = 0.03

Pixel = TypeVar('Pixel', np.float32, np.uint8)


def stride_within(shape: tuple[int, ...], pixels_max: int) -> int:
    """Return the smallest n for which every n-th row and column are at most `pixels_max`."""
    return max(1, int(np.ceil(np.sqrt(shape[0] * shape[1] / pixels_max))))


def thinned(picture: npt.NDArray[Pixel], stride: int) -> npt.NDArray[Pixel]:
    """Return every n-th pixel of every n-th row of (H, W, ...), each from its block's middle."""
    return picture[stride // 2 :: stride, stride // 2 :: stride]


def sampled(inverse_depth: Float32, shape: tuple[int, ...]) -> Float32:
    """
    Return inverse depth (H, W) at the pixels of another picture of the same view.

    A smaller picture takes the pixel that its own middle falls on, as depth cameras thin their
    images; a larger one is filled bilinearly, which is exact on planes in inverse depth.

    :param shape: (H, W) of the other picture.
    :raises InputError: the proportions differ, so it is another view.
    """
    height, width = inverse_depth.shape
    if abs(height * shape[1] / width - shape[0]) > max(1.0, _PROPORTIONS * shape[0]):
        raise InputError(
            f'depth of {width} x {height} px and true depth of {shape[1]} x {shape[0]} px have '
            'other proportions, so they are of different cameras'
        )
    if shape[0] > height or shape[1] > width:
        larger = cv2.resize(inverse_depth, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
        return np.asarray(larger, np.float32)
    rows, columns = (
        ((np.arange(count) + 0.5) * size / count).astype(np.intp)
        for count, size in zip(shape, inverse_depth.shape, strict=True)
    )
    return inverse_depth[np.ix_(rows, columns)]


def thinned_intrinsics(intrinsics: Intrinsics, stride: int) -> Intrinsics:
    """Return the intrinsics of the picture that `thinned` makes."""
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
