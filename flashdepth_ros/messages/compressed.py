"""Decode sensor_msgs/CompressedImage to an RGB array, and write one."""

from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.errors import InputError
from flashdepth_ros.messages.encodings import ENCODINGS, Samples

UInt8 = npt.NDArray[np.uint8]

_JPEG_START, _JPEG_SCAN, _JPEG_END = b'\xff\xd8', b'\xff\xda', b'\xff\xd9'
# An EXIF orientation is ignored: camera_info describes the image without that rotation.
_DECODE_FLAGS = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION


class CompressedImageMessage(Protocol):
    """The fields of sensor_msgs/CompressedImage; `data` is any contiguous buffer of bytes."""

    @property
    def format(self) -> str: ...
    @property
    def data(self) -> Any: ...


@dataclass(frozen=True)
class Compressed:
    """The format and the data of a sensor_msgs/CompressedImage."""

    format: str
    data: bytes


def compress_rgb(rgb: UInt8, quality: int) -> Compressed:
    """
    Return an RGB image (H, W, 3) as JPEG, as the image_transport plugin `compressed` writes it.

    :param quality: of JPEG, 1 to 100.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, data = cv2.imencode('.jpg', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)
    return Compressed('rgb8; jpeg compressed bgr8', data.tobytes())


def read_compressed(message: CompressedImageMessage, bits: int = 16) -> UInt8:
    """
    Decode a JPEG, PNG or another format of OpenCV to an RGB image (H, W, 3).

    Transparency and EXIF orientation are ignored. A grey image whose format names a Bayer encoding
    is demosaiced.

    :param bits: number of bits in use of 16-bit samples.
    :raises InputError: the data is empty, damaged or truncated.
    """
    return decode_samples(message).rgb(bits)


def decode_samples(message: CompressedImageMessage) -> Samples:
    """
    Decode a compressed image to its samples of 8 or 16 bits.

    :raises InputError: the data is empty, damaged or truncated, or has other samples.
    """
    data = memoryview(message.data).tobytes()
    if data.startswith(_JPEG_START):
        _check_jpeg_end(data, message.format)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _DECODE_FLAGS) if data else None
    except cv2.error:
        image = None
    if image is None or image.dtype not in (np.uint8, np.uint16):
        raise InputError(
            f'compressed image of format {message.format!r} with {len(data)} bytes cannot be '
            'decoded; expected a complete JPEG or PNG file'
        )
    source = message.format.partition(';')[0].strip()
    grey = source if source.startswith('bayer_') and source in ENCODINGS else 'mono8'
    encoding = grey if image.ndim == 2 else 'bgr8'
    values: Any = np.atleast_3d(image)
    return Samples(values, ENCODINGS[encoding])


def _check_jpeg_end(data: bytes, format_: str) -> None:
    # A preview in the header has its own end marker, so search after the start of the last scan;
    # bytes after the end marker are padding.
    if data.find(_JPEG_END, max(0, data.rfind(_JPEG_SCAN))) < 0:
        raise InputError(
            f'compressed image of format {format_!r} with {len(data)} bytes is a JPEG without '
            'its end-of-image marker; it was truncated'
        )
