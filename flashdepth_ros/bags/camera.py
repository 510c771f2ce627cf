"""Records as a camera driver publishes them: image, camera_info, true depth and odometry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.bags.build import build_message, header, jazzy
from flashdepth_ros.bags.find import CAMERA_INFO, COMPRESSED_IMAGE, RAW_IMAGE
from flashdepth_ros.bags.reader import Record
from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.messages import depth_data

ODOMETRY = 'nav_msgs/msg/Odometry'

INFO_TOPIC = '/camera/camera_info'
IMAGE_TOPIC = '/camera/image_raw'
COMPRESSED_TOPIC = '/camera/image_raw/compressed'
TRUE_DEPTH_TOPIC = '/camera/depth_true'
ODOMETRY_TOPIC = '/odom'


@dataclass(frozen=True)
class CameraFrame:
    """
    One time step of a camera.

    rgb is (H, W, 3). depth (H, W) in metres and pose (4, 4), optical frame to world, are optional.
    """

    stamp_ns: int
    rgb: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32] | None = None
    pose: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Camera:
    """A camera and its output format; `jpeg_quality` 0: raw rgb8 images."""

    intrinsics: Intrinsics
    jpeg_quality: int = 0
    frame_id: str = 'camera_optical_frame'

    @property
    def topics(self) -> dict[str, str]:
        """Return the topics of a frame with depth and pose, and their types."""
        image = (
            {COMPRESSED_TOPIC: COMPRESSED_IMAGE} if self.jpeg_quality else {IMAGE_TOPIC: RAW_IMAGE}
        )
        return {
            INFO_TOPIC: CAMERA_INFO,
            **image,
            TRUE_DEPTH_TOPIC: RAW_IMAGE,
            ODOMETRY_TOPIC: ODOMETRY,
        }

    def records(self, frame: CameraFrame) -> Iterator[Record]:
        """
        Yield the messages of a frame with its stamp; camera_info comes before the image.

        True depth is 16UC1 in millimetres, with half the width and height of the image: every
        second pixel of every second row.
        """
        stamped = {'header': header(frame.stamp_ns, self.frame_id)}
        yield _record(
            INFO_TOPIC, frame, CAMERA_INFO, **stamped, **_camera_info_fields(self.intrinsics)
        )
        if self.jpeg_quality:
            jpeg = {'format': 'rgb8; jpeg compressed bgr8', 'data': self._jpeg(frame.rgb)}
            yield _record(COMPRESSED_TOPIC, frame, COMPRESSED_IMAGE, **stamped, **jpeg)
        else:
            fields = _image_fields('rgb8', frame.rgb)
            yield _record(IMAGE_TOPIC, frame, RAW_IMAGE, **stamped, **fields)
        if frame.depth is not None:
            fields = _image_fields('16UC1', depth_data(frame.depth[1::2, 1::2], '16UC1'))
            yield _record(TRUE_DEPTH_TOPIC, frame, RAW_IMAGE, **stamped, **fields)
        if frame.pose is not None:
            fields = {
                'header': header(frame.stamp_ns, 'odom'),
                'child_frame_id': self.frame_id,
                'pose': {'pose': _pose_fields(frame.pose)},
            }
            yield _record(ODOMETRY_TOPIC, frame, ODOMETRY, **fields)

    def _jpeg(self, rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, self.jpeg_quality])
        return np.asarray(data, np.uint8).ravel()


def intrinsics_from_fov(width: int, height: int, fov_deg: float) -> Intrinsics:
    """Return the intrinsics of a pinhole camera of this size, px, and horizontal field of view."""
    focal = width / 2 / math.tan(math.radians(fov_deg) / 2)
    return Intrinsics(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)


def _record(topic: str, frame: CameraFrame, type_name: str, **fields: Any) -> Record:
    message = build_message(type_name, **fields)
    data = bytes(jazzy().serialize_cdr(message, type_name))
    return Record(topic, type_name, frame.stamp_ns, data)


def _image_fields(encoding: str, pixels: npt.NDArray[Any]) -> dict[str, Any]:
    height, width = pixels.shape[:2]
    return {
        'height': height,
        'width': width,
        'encoding': encoding,
        'step': pixels.strides[0],
        'data': np.ascontiguousarray(pixels).view(np.uint8).ravel(),
    }


def _camera_info_fields(intrinsics: Intrinsics) -> dict[str, Any]:
    matrix = intrinsics.matrix
    return {
        'height': intrinsics.height,
        'width': intrinsics.width,
        'distortion_model': 'plumb_bob',
        'd': np.zeros(5),
        'k': matrix.ravel(),
        'r': np.eye(3).ravel(),
        'p': np.hstack((matrix, np.zeros((3, 1)))).ravel(),
    }


def _pose_fields(pose: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Return the fields of geometry_msgs/Pose of a rigid transform (4, 4)."""
    rotation_vector = cv2.Rodrigues(pose[:3, :3])[0].ravel()
    angle = float(np.linalg.norm(rotation_vector))
    # sin(angle / 2) / angle, whose limit at angle 0 is 1/2.
    x, y, z = (rotation_vector * np.sinc(angle / (2 * math.pi)) / 2).tolist()
    return {
        'position': dict(zip('xyz', pose[:3, 3].tolist(), strict=True)),
        'orientation': {'x': x, 'y': y, 'z': z, 'w': math.cos(angle / 2)},
    }
