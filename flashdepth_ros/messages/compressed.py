"""sensor_msgs/CompressedImage to an RGB array."""

from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.errors import InputError
from flashdepth_ros.messages.encodings import ENCODINGS, to_rgb

UInt8 = npt.NDArray[np.uint8]

_JPEG_START, _JPEG_SCAN, _JPEG_END = b'\xff\xd8', b'\xff\xda', b'\xff\xd9'
# The orientation a camera notes in its file would turn the picture away from its camera_info.
_DECODE_FLAGS = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION


class CompressedImageMessage(Protocol):
    """The fields of sensor_msgs/CompressedImage; `data` is any contiguous buffer of bytes."""

    @property
    def format(self) -> str: ...
    @property
    def data(self) -> Any: ...


def read_compressed(message: CompressedImageMessage) -> UInt8:
    """
    Return the picture (H, W, 3) as RGB of a JPEG, PNG or another file that OpenCV decodes.

    16 bits become 8, transparency is dropped, the file's own orientation is ignored. A picture
    in grey whose format names a Bayer encoding is a mosaic, and is decoded as one.

    :raises InputError: the data is empty, damaged or cut off.
    """
    data = memoryview(message.data).tobytes()
    if data.startswith(_JPEG_START):
        _check_jpeg_end(data, message.format)
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), _DECODE_FLAGS) if data else None
    except cv2.error:
        picture = None
    if picture is None:
        raise InputError(
            f'compressed image of format {message.format!r} with {len(data)} bytes cannot be '
            'decoded; expected a whole JPEG or PNG file'
        )
    source = message.format.partition(';')[0].strip()
    grey = source if source.startswith('bayer_') and source in ENCODINGS else 'mono8'
    encoding = grey if picture.ndim == 2 else 'bgr8'
    return to_rgb(np.asarray(picture, np.uint8), ENCODINGS[encoding])


def _check_jpeg_end(data: bytes, format_: str) -> None:
    # A preview inside the header has an end of its own, so the one that counts follows the last
    # scan; bytes after it are padding.
    if data.find(_JPEG_END, max(0, data.rfind(_JPEG_SCAN))) < 0:
        raise InputError(
            f'compressed image of format {format_!r} with {len(data)} bytes is a JPEG without '
            'its end-of-image marker; it was cut off on its way'
        )
