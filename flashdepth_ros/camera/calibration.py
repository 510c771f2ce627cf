"""Keep the last valid camera_info, and check that it matches an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flashdepth_ros.camera.camera_info import read_intrinsics
from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.errors import InputError


@dataclass(frozen=True)
class Camera:
    """A calibrated camera: its CameraInfo message and the intrinsics of its images."""

    info: Any
    """A sensor_msgs/CameraInfo or any object with the same fields."""
    intrinsics: Intrinsics

    @property
    def matrix(self) -> tuple[float, ...]:
        """Return K of the delivered images in row-major order."""
        return tuple(self.intrinsics.matrix.ravel().tolist())


class CameraInfoCache:
    """
    Keeps the last calibrated camera_info.

    :param warn: called once for each reason why a camera_info cannot be used.
    """

    def __init__(self, warn: Callable[[str], Any]) -> None:
        self._warn = warn
        self._camera: Camera | None = None
        self._warned: set[str] = set()

    def receive(self, info: Any) -> None:
        """Store a CameraInfo message; ignore it and warn if it is not calibrated."""
        try:
            self._camera = Camera(info, read_intrinsics(info))
        except InputError as error:
            self._warn_once('calibration', f'invalid camera_info, no point cloud: {error}')

    def matching(self, frame_id: str, height: int, width: int) -> Camera | None:
        """Return the camera of an image; warn once and return None if it does not match."""
        camera = self._camera
        if camera is None:
            return None
        size = (camera.intrinsics.height, camera.intrinsics.width)
        if size != (height, width):
            self._warn_once(
                'size',
                f'camera_info is for {size[1]} x {size[0]} px, the image has {width} x {height}: '
                'no point cloud; remap camera_info to the topic that belongs to the image topic',
            )
            return None
        if camera.info.header.frame_id != frame_id:
            self._warn_once(
                'frame_id',
                f'camera_info has frame_id {camera.info.header.frame_id!r}, the image has '
                f'{frame_id!r}: no point cloud; remap camera_info to the topic of the same camera',
            )
            return None
        return camera

    def _warn_once(self, reason: str, text: str) -> None:
        if reason not in self._warned:
            self._warned.add(reason)
            self._warn(text)
