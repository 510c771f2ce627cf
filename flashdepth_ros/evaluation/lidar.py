"""Depth at the pixels that a lidar's points fall on."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from flashdepth_ros.camera.geometry import Float32, Float64, Intrinsics, project
from flashdepth_ros.errors import InputError

#: sensor_msgs/PointField datatypes that coordinates come in.
_COORDINATES = {7: 'f4', 8: 'f8'}
#: A point this many times farther than one nearby is seen through from another place than the
#: camera's. Nearby: within this share of the picture's width.
_HIDDEN = 1.3
_NEARBY = 0.01


def read_points(cloud: Any) -> Float64:
    """
    Return the points (N, 3) of a sensor_msgs/PointCloud2, those that are not finite left out.

    :raises InputError: it has no x, y, z of 32 or 64 bit floats, or its data is cut off.
    """
    fields = {field.name: field for field in cloud.fields}
    axes = [fields[axis] for axis in 'xyz' if axis in fields]
    if len(axes) < 3 or any(field.datatype not in _COORDINATES for field in axes):
        raise InputError(
            f'point cloud with the fields {", ".join(fields)}; x, y and z are needed as FLOAT32 '
            'or FLOAT64'
        )
    count, order = cloud.width * cloud.height, '>' if cloud.is_bigendian else '<'
    data = np.frombuffer(memoryview(cloud.data), np.uint8)
    row_bytes = cloud.point_step * cloud.width
    if cloud.row_step * cloud.height > data.size or row_bytes > cloud.row_step:
        raise InputError(
            f'point cloud of {cloud.width} x {cloud.height} points of {cloud.point_step} bytes, '
            f'but {data.size} bytes of data; it was cut off on its way'
        )
    rows = data[: cloud.row_step * cloud.height].reshape(cloud.height, cloud.row_step)
    point = np.dtype(
        {
            'names': list('xyz'),
            'formats': [order + _COORDINATES[field.datatype] for field in axes],
            'offsets': [field.offset for field in axes],
            'itemsize': cloud.point_step,
        }
    )
    packed = np.ascontiguousarray(rows[:, :row_bytes]).view(point)
    points = np.stack([packed[axis].reshape(count).astype(np.float64) for axis in 'xyz'], axis=-1)
    return np.asarray(points[np.isfinite(points).all(axis=1)])


def depth_of_points(
    points: Float64, camera: Intrinsics, shape: tuple[int, int], stride: int
) -> Float32:
    """
    Return depth (H, W) in metres at the pixels nearest to the points, NaN where none fall.

    The nearest point of a pixel counts, and none that lies far behind a neighbour: the camera,
    which is not where the lidar is, cannot see it.

    :param points: (N, 3) in metres in the camera's optical frame.
    :param camera: of the full picture; the lens's distortion is honoured.
    :param shape: of the picture thinned by `stride`, see `sampling.thinned`.
    """
    pixels = (project(points, camera) - stride // 2) / stride
    seen = np.isfinite(pixels).all(axis=1)
    columns, rows = np.rint(pixels[seen]).astype(np.int64).T
    inside = (columns >= 0) & (columns < shape[1]) & (rows >= 0) & (rows < shape[0])
    depth = np.full(shape, np.inf, np.float32)
    np.minimum.at(
        depth, (rows[inside], columns[inside]), points[seen, 2][inside].astype(np.float32)
    )
    reach = 2 * max(1, round(_NEARBY * shape[1])) + 1
    nearest = spread(depth, reach)
    visible = np.isfinite(depth) & (depth <= _HIDDEN * nearest)
    return np.where(visible, depth, np.nan).astype(np.float32)


def spread(depth: Float32, size: int) -> Float32:
    """Return the smallest depth (H, W) around each pixel, in a square of this size, px."""
    square = np.ones((size, size), np.uint8)
    return np.asarray(cv2.erode(depth, square, borderType=cv2.BORDER_REPLICATE), np.float32)
