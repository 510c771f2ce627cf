"""The data of an organised sensor_msgs/PointCloud2."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flashdepth_ros.camera.geometry import back_project
from flashdepth_ros.errors import InputError

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class CloudField:
    """One sensor_msgs/PointField; datatype 7 is FLOAT32."""

    name: str
    offset: int
    datatype: int = 7
    count: int = 1


CLOUD_FIELDS = (CloudField('x', 0), CloudField('y', 4), CloudField('z', 8), CloudField('rgb', 12))


def cloud_data(depth: Float32, rays: Float32, rgb: UInt8 | None = None) -> Float32:
    """
    Return the data of an organised cloud: (h, w, 4) float32 with colour, (h, w, 3) without.

    Points are NaN where depth is not finite or not > 0. The bits of the fourth number are the
    colour 0x00RRGGBB, little-endian, as PCL and RViz expect. For the result `cloud`, the fields
    are CLOUD_FIELDS[:cloud.shape[2]] and the point step is cloud.strides[1] bytes.

    :param depth: (h, w) in metres.
    :param rays: (h, w, 2) from `geometry.rays`, for the same pixels.
    :param rgb: (h, w, 3), for the same pixels.
    :raises InputError: depth, rays and colours differ in size.
    """
    if rgb is None:
        return back_project(depth, rays)
    if rgb.shape != (*depth.shape, 3):
        raise InputError(
            f'colours of shape {rgb.shape} do not match depth of shape {depth.shape}; '
            'use the same stride for both'
        )
    cloud = np.empty((*depth.shape, 4), np.float32)
    back_project(depth, rays, out=cloud[..., :3])
    # NumPy before 1.23 views only contiguous arrays, so the whole cloud, as bytes.
    blue_green_red_zero = cloud.view(np.uint8)[..., 12:]
    for channel in range(3):
        blue_green_red_zero[..., channel] = rgb[..., 2 - channel]
    blue_green_red_zero[..., 3] = 0
    return cloud
