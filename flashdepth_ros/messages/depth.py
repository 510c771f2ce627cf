"""Convert depth images of sensor_msgs/Image to arrays in metres, and back."""

from typing import cast

import numpy as np
import numpy.typing as npt

from flashdepth_ros.errors import ConfigError, InputError
from flashdepth_ros.messages.compressed import CompressedImageMessage
from flashdepth_ros.messages.compressed_depth import read_compressed_depth
from flashdepth_ros.messages.encodings import ImageMessage, pixel_view

UInt16 = npt.NDArray[np.uint16]
Float32 = npt.NDArray[np.float32]

# NumPy type of a sample, and metres per unit, by encoding.
_DEPTH_SAMPLES = {
    '32FC1': ('f4', 1.0),
    '64FC1': ('f8', 1.0),
    '16UC1': ('u2', 0.001),
    'mono16': ('u2', 0.001),
}
DEPTH_ENCODINGS = ('32FC1', '16UC1')


def read_depth(message: ImageMessage | CompressedImageMessage) -> Float32:
    """
    Return depth (H, W) in metres, C-contiguous; NaN where a 16-bit image has 0 (unknown).

    A 32FC1 image in native byte order without row padding is not copied.

    :param message: a raw or a compressed image.
    :raises InputError: the encoding is no depth encoding, or size, step and data do not fit it.
    """
    if hasattr(message, 'encoding'):
        return _read_raw(cast(ImageMessage, message))
    return read_compressed_depth(message)


def _read_raw(image: ImageMessage) -> Float32:
    if image.encoding not in _DEPTH_SAMPLES:
        raise InputError(
            f'depth encoding {image.encoding!r} is not supported; '
            f'expected one of {", ".join(_DEPTH_SAMPLES)}'
        )
    sample, unit = _DEPTH_SAMPLES[image.encoding]
    dtype = np.dtype(sample).newbyteorder('>' if image.is_bigendian else '<')
    depth = pixel_view(image, image.height, 1, dtype)[..., 0]
    if unit == 1.0:
        return np.require(depth, np.float32, ['C', 'A'])
    metres = depth.astype(np.float32)
    metres *= np.float32(unit)
    metres[metres == 0] = np.nan
    return metres


def depth_data(depth: Float32, encoding: str) -> Float32 | UInt16:
    """
    Return the pixels (H, W) of a depth image, C-contiguous.

    16UC1 is rounded millimetres; 0 where depth is unknown, infinite or above 65.535 m.

    :param depth: (H, W) in metres.
    :raises ConfigError: the encoding is neither 32FC1 nor 16UC1.
    """
    if encoding == '32FC1':
        return np.ascontiguousarray(depth, np.float32)
    if encoding != '16UC1':
        raise ConfigError(
            f'depth encoding {encoding!r} is not supported; '
            f'expected one of {", ".join(DEPTH_ENCODINGS)}'
        )
    with np.errstate(over='ignore'):
        millimetres = np.multiply(depth, 1000.0, dtype=np.float32)
    np.rint(millimetres, out=millimetres)
    in_range = (millimetres > 0) & (millimetres <= 65535)
    np.copyto(millimetres, np.float32(0.0), where=~in_range)
    return millimetres.astype(np.uint16)
