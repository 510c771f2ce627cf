"""Build image messages of an RGB image in every encoding, for tests that read them back."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

ORDERS = {'mono': 'r', 'rgb': 'rgb', 'bgr': 'bgr', 'rgba': 'rgba', 'bgra': 'bgra'}
BAYER = ('rggb', 'bggr', 'gbrg', 'grbg')
YUV = ('uyvy', 'yuv422', 'yuyv', 'yuv422_yuy2', 'nv12', 'nv21')


@dataclass
class Image:
    height: int
    width: int
    encoding: str
    step: int
    data: Any
    is_bigendian: int = 0


@dataclass
class CompressedImage:
    format: str
    data: bytes


def message(rows, encoding, height, padding=0, bigendian=False):
    """Wrap rows (rows, W, ...) of 8 or 16-bit samples, padded with 0xAB."""
    order = '>' if bigendian else '<'
    samples = rows.astype(rows.dtype.newbyteorder(order))
    row_bytes = np.frombuffer(samples.tobytes(), np.uint8).reshape(len(rows), -1)
    row_bytes = np.pad(row_bytes, ((0, 0), (0, padding)), constant_values=0xAB)
    data = row_bytes.tobytes()
    return Image(height, rows.shape[1], encoding, row_bytes.shape[1], data, int(bigendian))


def encode(rgb, encoding, bits=16):
    """
    Return the rows of an RGB image in an encoding of sensor_msgs, 8 or 16 bits per sample.

    :param bits: number of bits in use of 16-bit samples.
    """
    if encoding in YUV:
        return _yuv(rgb, encoding)
    name = {'8UC1': 'mono', '8UC3': 'bgr', '8UC4': 'bgra'}.get(
        encoding, encoding.removesuffix('16').removesuffix('8')
    )
    rows = _mosaic(rgb, name[-4:]) if name.startswith('bayer') else _ordered(rgb, ORDERS[name])
    if not encoding.endswith('16'):
        return rows
    # The low byte differs from the high one, so that a wrong byte order is detected.
    return ((rows.astype(np.uint16) * 256 + 77) >> (16 - bits)).astype(np.uint16)


def _ordered(rgb, order):
    rgba = np.dstack((rgb, np.full(rgb.shape[:2], 99, np.uint8)))
    return rgba[..., ['rgba'.index(channel) for channel in order]]


def _mosaic(rgb, pattern):
    rows = np.empty(rgb.shape[:2], np.uint8)
    for position, channel in enumerate(pattern):
        cells = np.s_[position // 2 :: 2, position % 2 :: 2]
        rows[cells] = rgb[cells][..., 'rgb'.index(channel)]
    return rows


def _yuv(rgb, encoding):
    """Return YUV rows; the colours of the image must be constant over cells of 2 x 2 px."""
    height, width = rgb.shape[:2]
    i420 = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    y = i420[:height]
    u, v = i420[height:].reshape(2, height // 2, width // 2)
    if encoding in ('nv12', 'nv21'):
        pair = (u, v) if encoding == 'nv12' else (v, u)
        return np.vstack((y, np.dstack(pair).reshape(height // 2, width)))
    u, v = u.repeat(2, axis=0), v.repeat(2, axis=0)
    left, right = y[:, ::2], y[:, 1::2]
    quad = (u, left, v, right) if encoding in ('uyvy', 'yuv422') else (left, u, right, v)
    return np.dstack(quad).reshape(height, width, 2)
