"""Read the points of lidars: sensor_msgs/PointCloud2 and LaserScan."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from flashdepth_ros.errors import InputError

Float64 = npt.NDArray[np.float64]

#: Supported sensor_msgs/PointField datatypes of coordinates.
_COORDINATES = {7: 'f4', 8: 'f8'}


def read_points(cloud: Any) -> Float64:
    """
    Return the finite points (N, 3) of a sensor_msgs/PointCloud2.

    :raises InputError: it has no float x, y, z of 32 or 64 bits, or its data is truncated.
    """
    fields = {field.name: field for field in cloud.fields}
    axes = [fields[axis] for axis in 'xyz' if axis in fields]
    if len(axes) < 3 or any(field.datatype not in _COORDINATES for field in axes):
        raise InputError(
            f'point cloud with the fields {", ".join(fields)}; expected x, y and z as FLOAT32 or '
            'FLOAT64'
        )
    count, order = cloud.width * cloud.height, '>' if cloud.is_bigendian else '<'
    data = np.frombuffer(memoryview(cloud.data), np.uint8)
    row_bytes = cloud.point_step * cloud.width
    if cloud.row_step * cloud.height > data.size or row_bytes > cloud.row_step:
        raise InputError(
            f'point cloud of {cloud.width} x {cloud.height} points of {cloud.point_step} bytes, '
            f'but {data.size} bytes of data: the data is truncated'
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


def read_scan(scan: Any) -> Float64:
    """
    Return the points (N, 3) of a sensor_msgs/LaserScan in its frame; z is 0.

    Ranges outside of the limits of the scan, and those that are not finite, are left out.

    :raises InputError: its angles or its limits are not finite.
    """
    numbers = (scan.angle_min, scan.angle_increment, scan.range_min, scan.range_max)
    if not np.isfinite(numbers).all():
        raise InputError(
            f'laser scan with angle_min {scan.angle_min}, angle_increment '
            f'{scan.angle_increment}, range_min {scan.range_min}, range_max {scan.range_max}; '
            'expected finite numbers'
        )
    ranges = np.asarray(scan.ranges, np.float64)
    angles = scan.angle_min + scan.angle_increment * np.arange(len(ranges))
    valid = np.isfinite(ranges) & (ranges >= scan.range_min) & (ranges <= scan.range_max)
    ranges, angles = ranges[valid], angles[valid]
    return np.stack((ranges * np.cos(angles), ranges * np.sin(angles), 0 * ranges), axis=-1)
