"""The last valid camera_info, and whether it fits an image."""

from __future__ import annotations

from dataclasses import dataclass

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from flashdepth_ros.errors import InputError
from flashdepth_ros.geometry import Intrinsics
from flashdepth_ros.messages import read_intrinsics
from flashdepth_ros.node.cdr import CompressedImageView, ImageView
from flashdepth_ros.node.wiring import Input, create_input, info_qos


@dataclass(frozen=True)
class Camera:
    """A calibrated camera: its message, and the intrinsics of the images it delivers."""

    info: CameraInfo
    intrinsics: Intrinsics


class Cameras:
    """Keeps the last calibrated camera_info; depth never waits for one."""

    def __init__(self, node: Node) -> None:
        self._logger = node.get_logger()
        self._camera: Camera | None = None
        self._warned: set[str] = set()
        create_input(node, Input(CameraInfo, 'camera_info', info_qos()), self._receive)

    def matching(
        self, image: ImageView | CompressedImageView, height: int, width: int
    ) -> Camera | None:
        """Return the camera of an image of that size, None where none fits; warn once why not."""
        camera = self._camera
        if camera is None:
            return None
        size = (camera.intrinsics.height, camera.intrinsics.width)
        if size != (height, width):
            self._warn(
                'size',
                f'camera_info is for {size[1]} x {size[0]} px, the image has {width} x {height}: '
                'no point cloud; give the camera_info of this very image topic',
            )
            return None
        if camera.info.header.frame_id != image.frame_id:
            self._warn(
                'frame_id',
                f'camera_info has frame_id {camera.info.header.frame_id!r}, the image has '
                f'{image.frame_id!r}: no point cloud; give the camera_info of this very camera',
            )
            return None
        return camera

    def _receive(self, info: CameraInfo) -> None:
        try:
            self._camera = Camera(info, read_intrinsics(info))
        except InputError as error:
            self._warn('calibration', f'camera_info cannot be used, no point cloud: {error}')

    def _warn(self, kind: str, text: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            self._logger.warning(text)
