"""
The pixel encodings of sensor_msgs/Image: their memory layout and their conversion to RGB.

16-bit samples are reduced to 8 bits first, so all encodings share the 8-bit conversion. The
message does not state how many of the 16 bits are in use: see `image_reader`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.errors import InputError

UInt8 = npt.NDArray[np.uint8]
UInt16 = npt.NDArray[np.uint16]


class ImageMessage(Protocol):
    """
    The fields of sensor_msgs/Image that are used.

    `data` is any contiguous buffer of bytes: bytes, memoryview, array('B') or a uint8 array.
    """

    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def encoding(self) -> str: ...
    @property
    def is_bigendian(self) -> int: ...
    @property
    def step(self) -> int: ...
    @property
    def data(self) -> Any: ...


@dataclass(frozen=True)
class Encoding:
    """
    The memory layout of an encoding.

    :param conversion: OpenCV's conversion code from 8-bit samples to RGB; None: already RGB.
    :param samples: samples per pixel in one row.
    :param sample_bytes: 1 or 2.
    :param block: width and height in px of the blocks with shared chroma; the image size must be
        a multiple of it. With blocks of several rows, the chroma plane follows the luma plane.
    :param min_side: smallest width and height in px that can be converted.
    """

    conversion: int | None
    samples: int = 1
    sample_bytes: int = 1
    block: tuple[int, int] = (1, 1)
    min_side: int = 1


_LAYOUTS: Mapping[str, Encoding] = {
    'mono': Encoding(cv2.COLOR_GRAY2RGB),
    'rgb': Encoding(None, 3),
    'bgr': Encoding(cv2.COLOR_BGR2RGB, 3),
    'rgba': Encoding(cv2.COLOR_RGBA2RGB, 4),
    'bgra': Encoding(cv2.COLOR_BGRA2RGB, 4),
    # OpenCV's two letters are columns 2 and 3 of row 2; OpenCV 4.5.4 has no four-letter names.
    'bayer_rggb': Encoding(cv2.COLOR_BayerBG2RGB, min_side=3),
    'bayer_bggr': Encoding(cv2.COLOR_BayerRG2RGB, min_side=3),
    'bayer_gbrg': Encoding(cv2.COLOR_BayerGR2RGB, min_side=3),
    'bayer_grbg': Encoding(cv2.COLOR_BayerGB2RGB, min_side=3),
}
_UYVY = Encoding(cv2.COLOR_YUV2RGB_UYVY, 2, block=(2, 1))
_YUYV = Encoding(cv2.COLOR_YUV2RGB_YUYV, 2, block=(2, 1))

# YUV is BT.601 with limited range. 8UC3 and 8UC4 define no channel order: BGR, as in OpenCV.
ENCODINGS: Mapping[str, Encoding] = {
    **{f'{name}8': layout for name, layout in _LAYOUTS.items()},
    **{f'{name}16': replace(layout, sample_bytes=2) for name, layout in _LAYOUTS.items()},
    '8UC1': _LAYOUTS['mono'],
    '8UC3': _LAYOUTS['bgr'],
    '8UC4': _LAYOUTS['bgra'],
    'uyvy': _UYVY,
    'yuv422': _UYVY,
    'yuyv': _YUYV,
    'yuv422_yuy2': _YUYV,
    'nv12': Encoding(cv2.COLOR_YUV2RGB_NV12, block=(2, 2)),
    'nv21': Encoding(cv2.COLOR_YUV2RGB_NV21, block=(2, 2)),
}


@dataclass(frozen=True)
class Samples:
    """The samples of an image as they are stored: (rows, W, samples), 8 or 16 bits."""

    values: UInt8 | UInt16
    layout: Encoding

    def rgb(self, bits: int = 16) -> UInt8:
        """
        Return the image as RGB (H, W, 3), C-contiguous.

        :param bits: number of low bits in use of 16-bit samples, at least 8; higher values are
            white.
        """
        octets: npt.NDArray[Any] = self.values
        if octets.dtype != np.uint8:
            # The offset makes it round down: the fractions are multiples of 1/256.
            octets = cv2.convertScaleAbs(
                np.ascontiguousarray(octets, np.uint16),
                alpha=2.0 ** (8 - bits),
                beta=2.0**-9 - 0.5,
            )
        if self.layout.conversion is None:
            return np.ascontiguousarray(octets, np.uint8)
        return np.asarray(cv2.cvtColor(octets, self.layout.conversion), np.uint8)


def read_rgb(image: ImageMessage, bits: int = 16) -> UInt8:
    """
    Return the image as RGB (H, W, 3), C-contiguous.

    An rgb8 image without row padding is not copied: the result is a view of the message's data,
    and read-only if the data is.

    :param bits: number of bits in use of 16-bit samples.
    :raises InputError: the encoding is unknown, or size, step and data do not fit it.
    """
    return read_samples(image).rgb(bits)


def read_samples(image: ImageMessage) -> Samples:
    """
    Return a view of the message's samples, without row padding and in their byte order.

    :raises InputError: the encoding is unknown, or size, step and data do not fit it.
    """
    layout = ENCODINGS.get(image.encoding)
    if layout is None:
        raise InputError(
            f'image encoding {image.encoding!r} is not supported; '
            f'expected one of {", ".join(ENCODINGS)}'
        )
    _check_size(image, layout)
    rows = image.height * 3 // 2 if layout.block == (2, 2) else image.height
    order = '>' if image.is_bigendian else '<'
    dtype = np.dtype(f'{order}u{layout.sample_bytes}')
    return Samples(pixel_view(image, rows, layout.samples, dtype), layout)


def pixel_view(
    image: ImageMessage, rows: int, samples: int, dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    """
    Return a view (rows, W, samples) of the message's data without the row padding.

    The padding of the last row may be missing.

    :raises InputError: the size is zero, the step is shorter than a row, or data is missing.
    """
    pixel = samples * dtype.itemsize
    row_bytes = image.width * pixel
    if image.width < 1 or image.height < 1:
        raise InputError(f'image of {image.width} x {image.height} px; both must be positive')
    if image.step < row_bytes:
        raise InputError(
            f'image step is {image.step} bytes, but a row of {image.width} px in '
            f'{image.encoding!r} needs {row_bytes}'
        )
    expected = (rows - 1) * image.step + row_bytes
    size = memoryview(image.data).nbytes
    if size < expected:
        raise InputError(
            f'image data holds {size} bytes, expected at least {expected} for '
            f'{image.width} x {image.height} px in {image.encoding!r} with step {image.step}'
        )
    strides = (image.step, pixel, dtype.itemsize)
    return np.ndarray((rows, image.width, samples), dtype, image.data, 0, strides)


def _check_size(image: ImageMessage, layout: Encoding) -> None:
    columns, rows = layout.block
    if image.width % columns or image.height % rows:
        raise InputError(
            f'image of {image.width} x {image.height} px in {image.encoding!r}; expected a width '
            f'that is a multiple of {columns} and a height that is a multiple of {rows}'
        )
    if min(image.width, image.height) < layout.min_side:
        raise InputError(
            f'image of {image.width} x {image.height} px in {image.encoding!r}; '
            f'expected at least {layout.min_side} x {layout.min_side}'
        )
