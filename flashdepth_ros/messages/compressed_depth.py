"""
Depth images as sensor_msgs/CompressedImage, as the image_transport plugins write them.

`compressedDepth` puts a header before a PNG file or an RVL stream; there 32FC1 is stored as 16-bit
inverse depth with two parameters. `compressed` has a PNG or TIFF file without a header.
"""

import struct

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.errors import InputError
from flashdepth_ros.messages.compressed import CompressedImageMessage
from flashdepth_ros.messages.rvl import decode_rvl

Float32 = npt.NDArray[np.float32]

_HEADER = struct.Struct('<iff')
_RVL_SIZE = struct.Struct('<II')
_PIXELS_MAX = 2**28
_METRES_PER_UNIT = np.float32(0.001)


def read_compressed_depth(message: CompressedImageMessage) -> Float32:
    """
    Return depth (H, W) in metres; NaN where the stored value is 0 (unknown).

    :raises InputError: the format is no depth format, or the data are damaged or cut off.
    """
    encoding, _, transport = message.format.partition(';')
    encoding, data = encoding.strip(), memoryview(message.data).tobytes()
    if encoding not in ('16UC1', '32FC1', 'mono16'):
        raise InputError(
            f'compressed depth of format {message.format!r} is not supported; expected 16UC1 or '
            '32FC1 before the semicolon'
        )
    if 'compressedDepth' not in transport:
        return _metres(_decode_file(data, message.format))
    if len(data) < _HEADER.size:
        raise InputError(f'compressed depth of {len(data)} bytes is shorter than its header')
    _, quantum, offset = _HEADER.unpack_from(data)
    body = data[_HEADER.size :]
    stored = _decode_rvl(body) if 'rvl' in transport else _decode_file(body, message.format)
    if encoding != '32FC1' or stored.dtype != np.uint16:
        return _metres(stored)
    values = np.where(stored == 0, np.nan, stored).astype(np.float32)
    with np.errstate(divide='ignore'):
        return np.asarray(np.float32(quantum) / (values - np.float32(offset)), np.float32)


def _decode_rvl(body: bytes) -> npt.NDArray[np.uint16]:
    if len(body) < _RVL_SIZE.size:
        raise InputError(f'RVL data of {len(body)} bytes are shorter than their size fields')
    width, height = _RVL_SIZE.unpack_from(body)
    if not 0 < width * height <= _PIXELS_MAX:
        raise InputError(f'RVL data of {width} x {height} px; both must be positive')
    return decode_rvl(body[_RVL_SIZE.size :], width * height).reshape(height, width)


def _decode_file(data: bytes, format_: str) -> npt.NDArray[np.generic]:
    try:
        flags = cv2.IMREAD_UNCHANGED
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:
        image = None
    if image is None or image.ndim != 2 or image.dtype not in (np.uint16, np.float32):
        raise InputError(
            f'compressed depth of format {format_!r} with {len(data)} bytes cannot be decoded; '
            'expected a complete PNG file of 16 bits or a TIFF file of 32-bit floats'
        )
    return np.asarray(image)


def _metres(stored: npt.NDArray[np.generic]) -> Float32:
    if stored.dtype == np.float32:
        return np.ascontiguousarray(stored, np.float32)
    metres = stored.astype(np.float32) * _METRES_PER_UNIT
    metres[metres == 0] = np.nan
    return metres
