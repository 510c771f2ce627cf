"""The last valid camera_info, and whether it fits an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flashdepth_ros.camera.camera_info import read_intrinsics
from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.errors import InputError


@dataclass(frozen=True)
class Camera:
    """A calibrated camera: its message, and the intrinsics of the images it delivers."""

    info: Any
    """A sensor_msgs/CameraInfo, or any object with its fields."""
    intrinsics: Intrinsics

    @property
    def matrix(self) -> tuple[float, ...]:
        """Return K of the images as delivered, row by row."""
        return tuple(self.intrinsics.matrix.ravel().tolist())


class Cameras:
    """
    Keeps the last calibrated camera_info; depth never waits for one.

    :param warn: is told, once for each cause, why one cannot be used.
    """

    def __init__(self, warn: Callable[[str], Any]) -> None:
        self._warn = warn
        self._camera: Camera | None = None
        self._warned: set[str] = set()

    def receive(self, info: Any) -> None:
        """Take a CameraInfo message; one that is not calibrated leaves the last one in force."""
        try:
            self._camera = Camera(info, read_intrinsics(info))
        except InputError as error:
            self._warn_once('calibration', f'camera_info cannot be used, no point cloud: {error}')

    def matching(self, frame_id: str, height: int, width: int) -> Camera | None:
        """Return the camera of such an image, None where none fits; warn once why not."""
        camera = self._camera
        if camera is None:
            return None
        size = (camera.intrinsics.height, camera.intrinsics.width)
        if size != (height, width):
            self._warn_once(
                'size',
                f'camera_info is for {size[1]} x {size[0]} px, the image has {width} x {height}: '
                'no point cloud; give the camera_info of this very image topic',
            )
            return None
        if camera.info.header.frame_id != frame_id:
            self._warn_once(
                'frame_id',
                f'camera_info has frame_id {camera.info.header.frame_id!r}, the image has '
                f'{frame_id!r}: no point cloud; give the camera_info of this very camera',
            )
            return None
        return camera

    def _warn_once(self, kind: str, text: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            self._warn(text)
