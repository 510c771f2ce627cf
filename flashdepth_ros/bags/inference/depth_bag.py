"""Write depth frames to a bag, as the messages that the live node publishes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from flashdepth_ros.bags.build import build_message, header
from flashdepth_ros.bags.find import CAMERA_INFO, INVERSE, PREVIEW, RAW_IMAGE
from flashdepth_ros.bags.frames import Frame
from flashdepth_ros.bags.writer import BagWriter
from flashdepth_ros.errors import ConfigError
from flashdepth_ros.messages import CLOUD_FIELDS
from flashdepth_ros.runtime import DepthFrame
from flashdepth_ros.runtime.confidence import ConfidenceRater
from flashdepth_ros.runtime.products import RayCache, products_of
from flashdepth_ros.runtime.scale import Scale
from flashdepth_ros.runtime.settings import Settings

CLOUD = 'sensor_msgs/msg/PointCloud2'
DEPTH = 'depth/image'
CONFIDENCE = 'depth/confidence'


@dataclass(frozen=True)
class OutputTopics:
    """The topics to write in addition to depth and its camera_info, and their namespace."""

    namespace: str = ''
    points: bool = False
    color: bool = False
    confidence: bool = False
    relative: bool = False
    """Write relative inverse depth instead of depth in metres."""

    def __post_init__(self) -> None:
        """Reject a namespace that ROS does not allow, and what needs metres without them."""
        if self.relative and (self.points or self.color):
            raise ConfigError('points and colour preview need depth in metres, not relative depth')
        if not re.fullmatch(r'(/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*)?/?', self.namespace, re.ASCII):
            raise ConfigError(
                f'namespace {self.namespace!r}: ROS allows letters, digits, _ and /, and no digit '
                'at the start'
            )

    def topic(self, name: str) -> str:
        """Return the full name, with the namespace, of an output topic of the live node."""
        return '/'.join(('', *filter(None, self.namespace.split('/')), name))

    @property
    def predicted(self) -> str:
        """Return the full name of the topic of depth or relative inverse depth."""
        return self.topic(INVERSE if self.relative else DEPTH)

    @property
    def types(self) -> Mapping[str, str]:
        """Return the full names of the output topics and their types."""
        names = {
            INVERSE if self.relative else DEPTH: RAW_IMAGE,
            'depth/camera_info': CAMERA_INFO,
        }
        if self.points:
            names['points'] = CLOUD
        if self.color:
            names[PREVIEW] = RAW_IMAGE
        if self.confidence:
            names[CONFIDENCE] = RAW_IMAGE
        return {self.topic(name): type_name for name, type_name in names.items()}


class DepthBagWriter:
    """Writes the node's outputs of each frame, with the time of recording of its image."""

    def __init__(self, bag: BagWriter, outputs: OutputTopics, settings: Settings) -> None:
        """Write to an open bag; a topic is added with its first message."""
        self._bag, self._outputs, self._settings = bag, outputs, settings
        self._rays = RayCache()
        self._rater = ConfidenceRater()

    def write(self, frame: Frame, depth: DepthFrame, scale: Scale | None = None) -> None:
        """
        Write depth and the selected outputs that are available for this frame.

        :param scale: turns inverse depth into metres; None: `depth.scale` does.
        """
        confidence = None
        if self._outputs.confidence or self._settings.points_min_confidence:
            confidence = self._rater.rate(depth.inverse_depth, depth.position)
        products = products_of(depth, frame, self._settings, self._rays, scale, confidence)
        if self._outputs.relative:
            self._write_image(INVERSE, frame, '32FC1', depth.inverse_depth)
        else:
            self._write_image(DEPTH, frame, self._settings.depth_encoding, products.depth_pixels)
        if (info := products.camera_info) is not None:
            self._write('depth/camera_info', frame, CAMERA_INFO, **info)
        if self._outputs.points and (cloud := products.cloud) is not None:
            self._write('points', frame, CLOUD, **_cloud_fields(cloud))
        if self._outputs.color:
            self._write_image(PREVIEW, frame, 'rgb8', products.preview)
        if self._outputs.confidence and confidence is not None:
            self._write_image(CONFIDENCE, frame, '32FC1', confidence)

    def _write_image(
        self, name: str, frame: Frame, encoding: str, pixels: npt.NDArray[Any]
    ) -> None:
        fields = {
            'height': pixels.shape[0],
            'width': pixels.shape[1],
            'encoding': encoding,
            'step': pixels.strides[0],
            'data': _as_bytes(pixels),
        }
        self._write(name, frame, RAW_IMAGE, **fields)

    def _write(self, name: str, frame: Frame, type_name: str, **fields: Any) -> None:
        head = header(frame.stamp_ns, frame.frame_id)
        message = build_message(type_name, header=head, **fields)
        self._bag.write(self._outputs.topic(name), message, frame.recorded_ns)


def _cloud_fields(cloud: npt.NDArray[np.float32]) -> dict[str, Any]:
    return {
        'height': cloud.shape[0],
        'width': cloud.shape[1],
        'fields': [asdict(field) for field in CLOUD_FIELDS[: cloud.shape[2]]],
        'point_step': cloud.strides[1],
        'row_step': cloud.strides[0],
        'data': _as_bytes(cloud),
    }


def _as_bytes(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return array.reshape(-1).view(np.uint8)
