"""
Messages of sensor_msgs to arrays and back, by field names alone.

Any object with the fields will do: a message of rclpy, one read from a bag, a view of raw CDR.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.camera_info import CameraInfoFields, camera_info_fields, read_intrinsics
from flashdepth_ros.errors import ConfigError, InputError
from flashdepth_ros.geometry import back_project
from flashdepth_ros.image_encodings import (
    ENCODINGS,
    ImageMessage,
    read_rgb,
    to_rgb,
    view,
)

__all__ = [
    'CLOUD_FIELDS',
    'DEPTH_ENCODINGS',
    'ENCODINGS',
    'CameraInfoFields',
    'CloudField',
    'CompressedImageMessage',
    'ImageMessage',
    'camera_info_fields',
    'cloud_data',
    'colorize',
    'depth_data',
    'read_compressed',
    'read_depth',
    'read_intrinsics',
    'read_rgb',
]

UInt8 = npt.NDArray[np.uint8]
UInt16 = npt.NDArray[np.uint16]
Float32 = npt.NDArray[np.float32]

# What a depth image may hold: bytes per sample and their kind, and metres per unit.
_DEPTH_SAMPLES = {
    '32FC1': ('f4', 1.0),
    '64FC1': ('f8', 1.0),
    '16UC1': ('u2', 0.001),
    'mono16': ('u2', 0.001),
}
DEPTH_ENCODINGS = ('32FC1', '16UC1')

_JPEG_START, _JPEG_SCAN, _JPEG_END = b'\xff\xd8', b'\xff\xda', b'\xff\xd9'
# The orientation a camera notes in its file would turn the picture away from its camera_info.
_DECODE_FLAGS = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION


class CompressedImageMessage(Protocol):
    """The fields of sensor_msgs/CompressedImage; `data` is any contiguous buffer of bytes."""

    @property
    def format(self) -> str: ...
    @property
    def data(self) -> Any: ...


@dataclass(frozen=True)
class CloudField:
    """One sensor_msgs/PointField; datatype 7 is FLOAT32."""

    name: str
    offset: int
    datatype: int = 7
    count: int = 1


CLOUD_FIELDS = (CloudField('x', 0), CloudField('y', 4), CloudField('z', 8), CloudField('rgb', 12))


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


def read_depth(image: ImageMessage) -> Float32:
    """
    Return depth (H, W) in metres, C-contiguous; NaN where a 16-bit image has 0, its unknown.

    A 32FC1 image in the machine's byte order without row padding is not copied.

    :raises InputError: the encoding is not one of depth, or size, step and data do not fit it.
    """
    if image.encoding not in _DEPTH_SAMPLES:
        raise InputError(
            f'depth encoding {image.encoding!r} is not supported; '
            f'one of {", ".join(_DEPTH_SAMPLES)}'
        )
    kind, unit = _DEPTH_SAMPLES[image.encoding]
    dtype = np.dtype(kind).newbyteorder('>' if image.is_bigendian else '<')
    depth = view(image, image.height, 1, dtype)[..., 0]
    if unit == 1.0:
        return np.require(depth, np.float32, ['C', 'A'])
    metres = depth.astype(np.float32)
    metres *= np.float32(unit)
    metres[metres == 0] = np.nan
    return metres


def depth_data(depth: Float32, encoding: str) -> Float32 | UInt16:
    """
    Return the pixels (H, W) of a depth image, C-contiguous.

    16UC1 holds millimetres, rounded; 0 where depth is unknown, infinite or beyond 65.535 m.

    :param depth: (H, W) in metres.
    :raises ConfigError: the encoding is neither 32FC1 nor 16UC1.
    """
    if encoding == '32FC1':
        return np.ascontiguousarray(depth, np.float32)
    if encoding != '16UC1':
        raise ConfigError(
            f'depth encoding {encoding!r} is not supported; one of {", ".join(DEPTH_ENCODINGS)}'
        )
    with np.errstate(over='ignore'):
        millimetres = np.multiply(depth, 1000.0, dtype=np.float32)
    np.rint(millimetres, out=millimetres)
    in_range = (millimetres > 0) & (millimetres <= 65535)
    np.copyto(millimetres, np.float32(0.0), where=~in_range)
    return millimetres.astype(np.uint16)


def cloud_data(depth: Float32, rays: Float32, rgb: UInt8 | None = None) -> Float32:
    """
    Return the data of an organised cloud: (h, w, 4) float32 with colour, (h, w, 3) without.

    Points are NaN where depth is not finite or not > 0. Colour is 0x00RRGGBB in the bits of the
    fourth number, little-endian, as PCL and RViz read it. With `cloud` the result, the fields are
    CLOUD_FIELDS[:cloud.shape[2]] and the point step is cloud.strides[1] bytes.

    :param depth: (h, w) in metres.
    :param rays: (h, w, 2), from `geometry.rays`, of the same pixels.
    :param rgb: (h, w, 3), of the same pixels.
    :raises InputError: depth, rays and colours differ in size.
    """
    if rgb is None:
        return back_project(depth, rays)
    if rgb.shape != (*depth.shape, 3):
        raise InputError(
            f'colours of shape {rgb.shape} do not match depth of shape {depth.shape}; '
            'take them at the same stride'
        )
    cloud = np.empty((*depth.shape, 4), np.float32)
    back_project(depth, rays, out=cloud[..., :3])
    blue_green_red_zero = cloud[..., 3:].view(np.uint8)
    for channel in range(3):
        blue_green_red_zero[..., channel] = rgb[..., 2 - channel]
    blue_green_red_zero[..., 3] = 0
    return cloud


def colorize(depth: Float32, minimum: float, maximum: float) -> UInt8:
    """
    Return a preview (H, W, 3) as RGB: red at `minimum` and nearer, to dark blue at `maximum`.

    Colours are even in inverse depth and mean the same in every frame; unknown (NaN) is black.

    :param depth: (H, W) in metres, with the infinities of REP 117.
    :raises ConfigError: the limits are not positive and in order.
    """
    if not 0 < minimum < maximum:
        raise ConfigError(
            f'preview range {minimum} to {maximum} m; expected 0 < minimum < maximum'
        )
    near_to_far = np.clip(np.asarray(depth, np.float32), np.float32(minimum), np.float32(maximum))
    # Known depth takes the levels 1 to 255, even in inverse depth: 255 at the near end.
    per_level = 254.0 / (1.0 / minimum - 1.0 / maximum)
    inverse = np.divide(np.float32(per_level), near_to_far, out=near_to_far)
    # It rounds and saturates, which sends NaN to level 0.
    levels = cv2.convertScaleAbs(inverse, alpha=1.0, beta=1.0 - per_level / maximum)
    return np.asarray(cv2.applyColorMap(levels, _palette()), np.uint8)


@cache
def _palette() -> UInt8:
    """Return the RGB colours (256, 1, 3) of the preview: black, then Turbo from its second."""
    levels = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    palette = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    palette[0] = 0
    return np.asarray(palette, np.uint8)
