"""
Read intrinsics from sensor_msgs/CameraInfo, and compute the fields for a cropped or scaled image.

Cropping and scaling move a pixel to u' = a u + b, v' = c v + d. This map follows from the camera
matrices before and after, and is then applied to P.
"""

import re
from types import SimpleNamespace
from typing import Any, TypedDict

import numpy as np

from flashdepth_ros.camera.geometry import Intrinsics, matrix_numbers
from flashdepth_ros.camera.lens import Lens
from flashdepth_ros.errors import InputError

# image_proc publishes image_rect and image_rect_color; others have a namespace `rect`.
_RECTIFIED_NAME = re.compile(r'.*(_rect|_rect_color|_rect_mono|/rect/[^/]+)(/compressed\w*)?')
_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


class CameraInfoFields(TypedDict):
    """The fields of a sensor_msgs/CameraInfo without binning and region of interest."""

    width: int
    height: int
    distortion_model: str
    d: tuple[float, ...]
    k: tuple[float, ...]
    r: tuple[float, ...]
    p: tuple[float, ...]


def read_intrinsics(camera_info: Any) -> Intrinsics:
    """
    Return the intrinsics of the delivered image with its distortion.

    :param camera_info: any object with the fields of sensor_msgs/CameraInfo, in ROS 2 spelling
        (k, d) or ROS 1 spelling (K, D).
    :raises InputError: the camera is not calibrated, or size, matrix, distortion or region are
        invalid.
    """
    lens = read_lens(camera_info)
    return read_pinhole(camera_info).with_lens(lens)


def read_pinhole(camera_info: Any) -> Intrinsics:
    """
    Return size and K of the delivered image, without distortion.

    K is for the full resolution; the region of interest is cropped first, then binned. The centre
    of a binned pixel is the centre of its pixels, therefore (cx + 0.5) scales, as in
    `Intrinsics.resized`. image_geometry scales cx itself, which is wrong by a quarter of a pixel
    for a binning of 2. `roi.do_rectify` is ignored, because it concerns rectified images only.

    :raises InputError: the camera is not calibrated, or size, matrix or region are invalid.
    """
    k = _matrix(camera_info)
    width, height = int(camera_info.width), int(camera_info.height)
    full = Intrinsics(width, height, fx=k[0], fy=k[4], cx=k[2], cy=k[5])
    return _as_delivered(full, camera_info)


def read_lens(camera_info: Any) -> Lens:
    """
    Return the lens; see `Lens.named`.

    :raises InputError: the distortion model is unknown, or its coefficients are invalid.
    """
    return Lens.named(camera_info.distortion_model, _numbers(camera_info, 'd'))


def is_rectified(setting: str, topic: str) -> bool:
    """
    Return whether the images of a topic are rectified.

    :param setting: 'true', 'false', or 'auto': by the name of the topic.
    """
    if setting != 'auto':
        return setting == 'true'
    return _RECTIFIED_NAME.fullmatch(topic) is not None


def rectified_note(setting: str, topic: str) -> str:
    """Return that a topic is taken for rectified by its name; '' if it is not, or was set."""
    if setting != 'auto' or not is_rectified(setting, topic):
        return ''
    return f'{topic} is rectified, by its name: P of camera_info is used, without distortion'


def rectified(camera_info: Any) -> Any:
    """
    Return the camera_info of the rectified images of a camera: K is that of P, no distortion.

    Drivers and image_proc publish one camera_info for the raw and the rectified images. Without P
    (all 0), K stays.

    :param camera_info: any object with the fields of sensor_msgs/CameraInfo.
    :raises InputError: P has not 12 numbers.
    """
    p = _numbers(camera_info, 'p')
    if len(p) != 12:
        raise InputError(f'camera_info has P = {p}; expected 12 numbers')
    return SimpleNamespace(
        header=camera_info.header,
        width=camera_info.width,
        height=camera_info.height,
        distortion_model='plumb_bob',
        d=(0.0,) * 5,
        k=(*p[0:3], *p[4:7], *p[8:11]) if any(p) else _numbers(camera_info, 'k'),
        r=_IDENTITY,
        p=p,
        binning_x=camera_info.binning_x,
        binning_y=camera_info.binning_y,
        roi=camera_info.roi,
    )


def camera_info_fields(intrinsics: Intrinsics, source: Any) -> CameraInfoFields:
    """
    Return the CameraInfo fields of an image that was cropped or scaled from the source's image.

    P is cropped and scaled like K, including its last column; without P in the source, it is
    [K | 0]. R is that of the source, or the identity if there is none. Distortion is unchanged.

    :param intrinsics: of the new image, derived from `read_intrinsics(source)`.
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
        k=matrix_numbers(intrinsics.matrix),
        r=r if any(r) else _IDENTITY,
        p=tuple(projection.ravel().tolist()),
    )


def _matrix(camera_info: Any) -> tuple[float, ...]:
    k = _numbers(camera_info, 'k')
    if len(k) != 9 or 0 in (k[0], k[4]):
        raise InputError(
            f'camera_info has K = {k}; expected 9 numbers with focal lengths at K[0] and K[4]: '
            'the camera is not calibrated'
        )
    return k


def _numbers(camera_info: Any, name: str) -> tuple[float, ...]:
    """Return an array field by its ROS 2 name; the ROS 1 name is in upper case."""
    field = name if hasattr(camera_info, name) else name.upper()
    return tuple(float(number) for number in getattr(camera_info, field))


def _as_delivered(full: Intrinsics, camera_info: Any) -> Intrinsics:
    roi = camera_info.roi
    across, down = max(1, int(camera_info.binning_x)), max(1, int(camera_info.binning_y))
    # Incomplete bins at the right and lower edges are not delivered.
    width = (int(roi.width) or full.width) // across
    height = (int(roi.height) or full.height) // down
    window = full.cropped(int(roi.x_offset), int(roi.y_offset), width * across, height * down)
    return window.resized(width, height)
