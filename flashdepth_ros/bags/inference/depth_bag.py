"""The messages of depth frames, and where in a recording they go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flashdepth_ros.bags.build import build_message, header
from flashdepth_ros.bags.find import CAMERA_INFO, RAW_IMAGE
from flashdepth_ros.bags.frames import Frame
from flashdepth_ros.bags.writer import BagWriter
from flashdepth_ros.messages import CLOUD_FIELDS
from flashdepth_ros.runtime import DepthFrame
from flashdepth_ros.runtime.products import Products, Rays
from flashdepth_ros.runtime.settings import Settings

CLOUD = 'sensor_msgs/msg/PointCloud2'


@dataclass(frozen=True)
class OutputChoice:
    """What is written beside depth and its camera_info, and under which namespace."""

    namespace: str = ''
    points: bool = False
    color: bool = False

    def topic(self, name: str) -> str:
        """Return the full name of the topic that the live node calls so."""
        return '/'.join(('', *filter(None, self.namespace.split('/')), name))

    @property
    def topics(self) -> Mapping[str, str]:
        """Return the type of every topic that may be written."""
        names = {'depth/image': RAW_IMAGE, 'depth/camera_info': CAMERA_INFO}
        if self.points:
            names['points'] = CLOUD
        if self.color:
            names['depth/image_color'] = RAW_IMAGE
        return {self.topic(name): type_name for name, type_name in names.items()}


class DepthBag:
    """Writes what the live node would publish of each frame, as recorded when its image was."""

    def __init__(self, bag: BagWriter, choice: OutputChoice, settings: Settings) -> None:
        """Write into an open bag; a topic is added with its first message."""
        self._bag, self._choice, self._settings = bag, choice, settings
        self._rays = Rays()

    def write(self, frame: Frame, depth: DepthFrame) -> None:
        """Write depth and whatever else was chosen and can be made of this frame."""
        products = Products(depth.inverse_depth, frame, self._settings, self._rays)
        encoding = self._settings.depth_encoding
        self._write_image('depth/image', frame, encoding, products.depth_pixels)
        if (info := products.camera_info) is not None:
            self._write('depth/camera_info', frame, CAMERA_INFO, **info)
        if self._choice.points and (cloud := products.cloud) is not None:
            self._write('points', frame, CLOUD, **_cloud_fields(cloud))
        if self._choice.color:
            self._write_image('depth/image_color', frame, 'rgb8', products.preview)

    def _write_image(
        self, name: str, frame: Frame, encoding: str, pixels: npt.NDArray[Any]
    ) -> None:
        fields = {
            'height': pixels.shape[0],
            'width': pixels.shape[1],
            'encoding': encoding,
            'step': pixels.strides[0],
            'data': _octets(pixels),
        }
        self._write(name, frame, RAW_IMAGE, **fields)

    def _write(self, name: str, frame: Frame, type_name: str, **fields: Any) -> None:
        head = header(frame.stamp_ns, frame.frame_id)
        message = build_message(type_name, header=head, **fields)
        self._bag.write(self._choice.topic(name), message, frame.recorded_ns)


def _cloud_fields(cloud: npt.NDArray[np.float32]) -> dict[str, Any]:
    return {
        'height': cloud.shape[0],
        'width': cloud.shape[1],
        'fields': [asdict(field) for field in CLOUD_FIELDS[: cloud.shape[2]]],
        'point_step': cloud.strides[1],
        'row_step': cloud.strides[0],
        'data': _octets(cloud),
    }


def _octets(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return array.reshape(-1).view(np.uint8)
