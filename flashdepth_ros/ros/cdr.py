"""
Plain CDR for large messages: reads images without a copy, writes images and clouds with one.

rclpy converts every message to Python objects and back, which copies an image several times. A
subscription with ``raw=True`` passes the serialised bytes instead, and a publisher accepts such
bytes. The format is version 1 of the Common Data Representation (OMG DDSI-RTPS 2.3, section 10,
"Data Encapsulation"): four bytes give the byte order, then come the fields in their order of
declaration; every number is aligned to its own size, counted from the end of those four bytes.
No ROS is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass
import struct
import sys
from typing import NamedTuple

import numpy as np

from flashdepth_ros.errors import InputError
from flashdepth_ros.ros.stamps import SECOND_NS, to_nanoseconds

_BYTE_ORDERS = {b'\x00\x00': '>', b'\x00\x01': '<'}
_FLOAT32 = 7  # sensor_msgs/PointField.FLOAT32


@dataclass(frozen=True, slots=True)
class ImageView:
    """The fields of a sensor_msgs/Image; ``data`` is a view into memory of another object."""

    stamp_ns: int
    frame_id: str
    height: int
    width: int
    encoding: str
    is_bigendian: bool
    step: int
    data: memoryview


@dataclass(frozen=True, slots=True)
class CompressedImageView:
    """The fields of a sensor_msgs/CompressedImage; ``data`` is a view."""

    stamp_ns: int
    frame_id: str
    format: str
    data: memoryview


class Transform(NamedTuple):
    """A geometry_msgs/TransformStamped: x, y, z in metres and the quaternion x, y, z, w."""

    stamp_ns: int
    frame_id: str
    child_frame_id: str
    pose: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PointCloud:
    """An organised cloud: ``points`` (H, W, len(fields)) float32, NaN where unknown."""

    stamp_ns: int
    frame_id: str
    fields: tuple[str, ...]
    points: np.ndarray


def image_of(stamp_ns: int, frame_id: str, encoding: str, pixels: np.ndarray) -> ImageView:
    """
    Return the image message of an array (H, W) or (H, W, C), without padding and without a copy.

    :raises InputError: the array has another number of axes, or is not C-contiguous.
    """
    if pixels.ndim not in (2, 3) or not pixels.flags.c_contiguous:
        raise InputError(
            f'array of shape {pixels.shape}, strides {pixels.strides}: expected a C-contiguous '
            '(H, W) or (H, W, C); use numpy.ascontiguousarray'
        )
    height, width = pixels.shape[:2]
    row_bytes = pixels.itemsize * int(np.prod(pixels.shape[1:]))
    return ImageView(
        stamp_ns,
        frame_id,
        height,
        width,
        encoding,
        is_bigendian(pixels),
        row_bytes,
        bytes_of(pixels),
    )


def read_image(raw: bytes) -> ImageView:
    """
    Return the fields of a serialised sensor_msgs/Image; ``data`` is a view into ``raw``.

    ``step`` and the size of ``data`` are not checked against the encoding here.

    :raises InputError: the bytes are not plain CDR, end too early, or hold text that is not UTF-8.
    """
    reader = _Reader(raw, 'Image')
    stamp_ns, frame_id = reader.header()
    height, width = reader.uint32('height'), reader.uint32('width')
    encoding = reader.string('encoding')
    is_bigendian = reader.boolean('is_bigendian')
    step = reader.uint32('step')
    data = reader.octets('data')
    return ImageView(stamp_ns, frame_id, height, width, encoding, is_bigendian, step, data)


def read_compressed_image(raw: bytes) -> CompressedImageView:
    """
    Return the fields of a serialised sensor_msgs/CompressedImage; ``data`` is a view into ``raw``.

    :raises InputError: the bytes are not plain CDR, end too early, or hold text that is not UTF-8.
    """
    reader = _Reader(raw, 'CompressedImage')
    stamp_ns, frame_id = reader.header()
    return CompressedImageView(stamp_ns, frame_id, reader.string('format'), reader.octets('data'))


def read_transforms(raw: bytes) -> list[Transform]:
    """
    Return the transforms of a serialised tf2_msgs/TFMessage.

    :raises InputError: the bytes are not plain CDR, end too early, or hold text that is not UTF-8.
    """
    reader = _Reader(raw, 'TFMessage')
    count = reader.uint32('transforms')
    return [
        Transform(*reader.header(), reader.string('child_frame_id'), reader.doubles('pose', 7))
        for _ in range(count)
    ]


def write_image(image: ImageView) -> bytes:
    """Return the serialised sensor_msgs/Image; the pixels are copied once."""
    writer = _Writer()
    writer.header(image.stamp_ns, image.frame_id)
    writer.uint32(image.height, image.width)
    writer.string(image.encoding)
    writer.boolean(image.is_bigendian)
    writer.uint32(image.step, image.data.nbytes)
    return b''.join((writer.written, image.data))


def write_point_cloud(cloud: PointCloud) -> bytes:
    """
    Return the serialised sensor_msgs/PointCloud2, not dense; the points are copied once.

    :raises InputError: the points are not a C-contiguous float32 (H, W, number of fields).
    """
    height, width, point_bytes = cloud_layout(cloud)
    writer = _Writer()
    writer.header(cloud.stamp_ns, cloud.frame_id)
    writer.uint32(height, width, len(cloud.fields))
    for index, name in enumerate(cloud.fields):
        writer.string(name)
        writer.uint32(4 * index)
        writer.octet(_FLOAT32)
        writer.uint32(1)
    writer.boolean(is_bigendian(cloud.points))
    writer.uint32(point_bytes, point_bytes * width, cloud.points.nbytes)
    not_dense = b'\x00'
    return b''.join((writer.written, bytes_of(cloud.points), not_dense))


def cloud_layout(cloud: PointCloud) -> tuple[int, int, int]:
    """
    Return height, width and bytes per point of a cloud.

    :raises InputError: the points are not a C-contiguous float32 (H, W, number of fields).
    """
    points = cloud.points
    fits = points.ndim == 3 and points.shape[2] == len(cloud.fields)
    if not fits or points.dtype.type is not np.float32 or not points.flags.c_contiguous:
        raise InputError(
            f'points of shape {points.shape}, {points.dtype}: expected a C-contiguous float32 '
            f'(H, W, {len(cloud.fields)}), one channel for each of {", ".join(cloud.fields)}'
        )
    return points.shape[0], points.shape[1], 4 * len(cloud.fields)


def is_bigendian(array: np.ndarray) -> bool:
    return array.dtype.byteorder == '>' or (array.dtype.isnative and sys.byteorder == 'big')


def bytes_of(array: np.ndarray) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


class _Reader:
    """Reads the fields of a serialised message in order, and never past its end."""

    __slots__ = ('_body', '_kind', '_order', '_position')

    def __init__(self, raw: bytes, kind: str) -> None:
        order = _BYTE_ORDERS.get(raw[:2])
        if order is None or len(raw) < 4:
            raise InputError(
                f'{kind}: {len(raw)} bytes that begin with {raw[:4].hex() or "nothing"}; expected '
                'plain CDR, which begins with 0000 or 0001; check the publisher of this topic'
            )
        self._body = memoryview(raw)[4:]
        self._kind = kind
        self._order = order
        self._position = 0

    def header(self) -> tuple[int, str]:
        """Read a std_msgs/Header; return its stamp in ns and its frame_id."""
        (seconds,) = struct.unpack(self._order + 'i', self._take(4, 4, 'stamp'))
        return to_nanoseconds(seconds, self.uint32('stamp')), self.string('frame_id')

    def uint32(self, field: str) -> int:
        (value,) = struct.unpack(self._order + 'I', self._take(4, 4, field))
        return int(value)

    def boolean(self, field: str) -> bool:
        return self._take(1, 1, field)[0] != 0

    def string(self, field: str) -> str:
        text = bytes(self.octets(field))
        if text and text[-1] != 0:
            raise InputError(f'{self._kind}: {field} does not end with a zero byte: not plain CDR')
        try:
            return text[:-1].decode()
        except UnicodeDecodeError as error:
            raise InputError(f'{self._kind}: {field} is not UTF-8 text: {error}') from error

    def doubles(self, field: str, count: int) -> tuple[float, ...]:
        return struct.unpack(f'{self._order}{count}d', self._take(8 * count, 8, field))

    def octets(self, field: str) -> memoryview:
        return self._take(self.uint32(field), 1, field)

    def _take(self, size: int, alignment: int, field: str) -> memoryview:
        start = self._position + -self._position % alignment
        if start + size > len(self._body):
            raise InputError(
                f'{self._kind}: {field} needs {size} bytes, the message has '
                f'{max(len(self._body) - start, 0)} left of its {len(self._body) + 4}: '
                'it is truncated'
            )
        self._position = start + size
        return self._body[start : self._position]


class _Writer:
    """Writes fields in order as little-endian plain CDR."""

    __slots__ = ('written',)

    def __init__(self) -> None:
        self.written = bytearray(b'\x00\x01\x00\x00')

    def header(self, stamp_ns: int, frame_id: str) -> None:
        self.written += struct.pack('<iI', *divmod(stamp_ns, SECOND_NS))
        self.string(frame_id)

    def uint32(self, *values: int) -> None:
        # The four leading bytes do not count for alignment; they are a multiple of it anyway.
        self.written += bytes(-len(self.written) % 4) + struct.pack(f'<{len(values)}I', *values)

    def octet(self, value: int) -> None:
        self.written.append(value)

    def boolean(self, value: bool) -> None:
        self.octet(int(value))

    def string(self, text: str) -> None:
        encoded = text.encode() + b'\x00'
        self.uint32(len(encoded))
        self.written += encoded
