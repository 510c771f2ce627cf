"""
What sensor_msgs/CameraInfo says of the image beside it, and what it must say beside a new one.

Cutting and scaling a picture moves its pixels by u' = a u + b, v' = c v + d. That map is read off
the camera matrices before and after, and then carries P along.
"""

from typing import Any, TypedDict

import numpy as np

from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.camera.lens import COEFFICIENT_COUNTS
from flashdepth_ros.errors import InputError

_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


class CameraInfoFields(TypedDict):
    """The fields of a sensor_msgs/CameraInfo whose binning and region of interest stay zero."""

    width: int
    height: int
    distortion_model: str
    d: tuple[float, ...]
    k: tuple[float, ...]
    r: tuple[float, ...]
    p: tuple[float, ...]


def read_intrinsics(camera_info: Any) -> Intrinsics:
    """
    Return the intrinsics of the image as delivered, the region of interest and binning folded in.

    K belongs to the full resolution; the region is cut out of that, then binned. A binned pixel
    lies at the centre of those it is made of, so it is (cx + 0.5) that scales, as in
    `Intrinsics.resized`; image_geometry scales cx alone, which for a binning of 2 is a quarter
    of a pixel off. `roi.do_rectify` is ignored: it speaks of the rectified image only. All-zero
    coefficients mean no distortion under whatever name.

    :param camera_info: any object with the fields of sensor_msgs/CameraInfo, of ROS 2 (k, d) or
        ROS 1 (K, D).
    :raises InputError: the camera is not calibrated, or size, matrix, distortion or region make
        no sense.
    """
    k, coefficients = _matrix(camera_info), _numbers(camera_info, 'd')
    model = camera_info.distortion_model if any(coefficients) else ''
    full = Intrinsics(
        width=int(camera_info.width),
        height=int(camera_info.height),
        fx=k[0],
        fy=k[4],
        cx=k[2],
        cy=k[5],
        distortion_model=model,
        distortion=_trimmed(model, coefficients),
    )
    return _as_delivered(full, camera_info)


def camera_info_fields(intrinsics: Intrinsics, source: Any) -> CameraInfoFields:
    """
    Return the fields of the CameraInfo that matches an image cut or scaled from the source's.

    P is cut and scaled as K is, its last column included; where the source has none, it is
    [K | 0]. R is the source's, the identity where it has none. The distortion is the source's.

    :param intrinsics: of the published image, derived from `read_intrinsics(source)`.
    :param source: the CameraInfo of the camera.
    :raises InputError: the source is not calibrated.
    """
    k = _matrix(source)
    scale_x, scale_y = intrinsics.fx / k[0], intrinsics.fy / k[4]
    to_image = np.array(
        [
            [scale_x, 0.0, intrinsics.cx - scale_x * k[2]],
            [0.0, scale_y, intrinsics.cy - scale_y * k[5]],
            [0.0, 0.0, 1.0],
        ]
    )
    p, r = _numbers(source, 'p'), _numbers(source, 'r')
    k_only = np.hstack((intrinsics.matrix, np.zeros((3, 1))))
    projection = to_image @ np.reshape(p, (3, 4)) if any(p) else k_only
    return CameraInfoFields(
        width=intrinsics.width,
        height=intrinsics.height,
        distortion_model=source.distortion_model,
        d=_numbers(source, 'd'),
        k=tuple(intrinsics.matrix.ravel().tolist()),
        r=r if any(r) else _IDENTITY,
        p=tuple(projection.ravel().tolist()),
    )


def _matrix(camera_info: Any) -> tuple[float, ...]:
    k = _numbers(camera_info, 'k')
    if len(k) != 9 or 0 in (k[0], k[4]):
        raise InputError(
            f'camera_info has K = {k}, expected 9 numbers, the focal lengths at K[0] and K[4]; '
            'the camera is not calibrated'
        )
    return k


def _numbers(camera_info: Any, name: str) -> tuple[float, ...]:
    """Return an array field by its ROS 2 name, which ROS 1 spells in upper case."""
    field = name if hasattr(camera_info, name) else name.upper()
    return tuple(float(number) for number in getattr(camera_info, field))


def _trimmed(model: str, coefficients: tuple[float, ...]) -> tuple[float, ...]:
    """Drop the zeros that some calibrations append for terms the model does not have."""
    _, most = COEFFICIENT_COUNTS.get(model, (0, len(coefficients)))
    return coefficients if any(coefficients[most:]) else coefficients[:most]


def _as_delivered(full: Intrinsics, camera_info: Any) -> Intrinsics:
    roi = camera_info.roi
    across, down = max(1, int(camera_info.binning_x)), max(1, int(camera_info.binning_y))
    # Pixels that do not fill a bin at the right and lower edges are not delivered.
    width = (int(roi.width) or full.width) // across
    height = (int(roi.height) or full.height) // down
    window = full.cropped(int(roi.x_offset), int(roi.y_offset), width * across, height * down)
    return window.resized(width, height)
