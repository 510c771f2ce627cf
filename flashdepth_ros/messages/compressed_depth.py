"""
Depth images as sensor_msgs/CompressedImage, as the image_transport plugins write them.

`compressedDepth` puts a header before a PNG file or an RVL stream; there 32FC1 is stored as 16-bit
inverse depth: `quantum / depth + offset`, with both parameters in the header, and 0 for unknown.
`compressed` has a PNG or TIFF file without a header.
"""

import struct
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.errors import InputError
from flashdepth_ros.messages.compressed import Compressed, CompressedImageMessage
from flashdepth_ros.messages.rvl import decode_rvl

UInt16 = npt.NDArray[np.uint16]
Float32 = npt.NDArray[np.float32]

# The kind of the content, then quantum and offset of inverse depth.
_HEADER = struct.Struct('<iff')
_INVERSE_DEPTH = 0
# Follows from the plugin's default for its parameter depth_quantization, which is 100.
_QUANTUM = 100.0 * 101.0
_STORED_MAX = 65535.0
_RVL_SIZE = struct.Struct('<II')
_PIXELS_MAX = 2**28
_METRES_PER_UNIT = np.float32(0.001)


def compress_depth(pixels: Float32 | UInt16, maximum: float, png_level: int) -> Compressed:
    """
    Return a depth image as `compressedDepth` with PNG.

    Millimetres are kept as they are. Metres are rounded to steps of 1/10100 in inverse depth, so
    by at most `depth ** 2 / 20200`; depth that is unknown, infinite or over the maximum becomes 0,
    and depth of less than about 0.15 m, which 16 bits do not hold, the least that they do.

    :param pixels: (H, W) metres as float32, or millimetres as uint16.
    :param maximum: the largest depth that can be stored, m; of metres only.
    :param png_level: 0 to 9: from fast to small.
    """
    options = [cv2.IMWRITE_PNG_COMPRESSION, png_level]
    if pixels.dtype == np.uint16:
        header = _HEADER.pack(_INVERSE_DEPTH, 0.0, 0.0)
        body = cv2.imencode('.png', pixels, options)[1]
        return Compressed('16UC1; compressedDepth png', header + body.tobytes())
    # The maximum is stored as 1.
    offset = 1.0 - _QUANTUM / maximum
    header = _HEADER.pack(_INVERSE_DEPTH, _QUANTUM, offset)
    body = cv2.imencode('.png', _quantised(pixels, maximum, offset), options)[1]
    return Compressed('32FC1; compressedDepth png', header + body.tobytes())


def _quantised(depth: npt.NDArray[Any], maximum: float, offset: float) -> UInt16:
    with np.errstate(divide='ignore', invalid='ignore'):
        stored = np.divide(np.float32(_QUANTUM), depth, dtype=np.float32)
    stored += np.float32(offset)
    np.rint(stored, out=stored)
    np.clip(stored, 1.0, _STORED_MAX, out=stored)
    np.copyto(stored, np.float32(0.0), where=~((depth > 0) & (depth <= maximum)))
    return stored.astype(np.uint16)


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
