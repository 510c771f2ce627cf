"""The node's outputs for one depth frame; only outputs with subscribers are computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import Header

from flashdepth_ros.camera.calibration import Camera
from flashdepth_ros.camera.camera_info import CameraInfoFields
from flashdepth_ros.messages import CLOUD_FIELDS, Compressed, compress_depth, compress_rgb
from flashdepth_ros.node.camera_scope import CameraScope
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.ros import cdr
from flashdepth_ros.ros.transport import Transport, compressed_message, stamp_message
from flashdepth_ros.ros.wiring import create_output
from flashdepth_ros.runtime import DepthFrame
from flashdepth_ros.runtime.confidence import ConfidenceRater
from flashdepth_ros.runtime.products import Products, RayCache, products_of
from flashdepth_ros.runtime.scale import Scale


@dataclass(frozen=True, slots=True)
class Source:
    """The image that a depth frame was computed from, and its camera if known and matching."""

    stamp_ns: int
    frame_id: str
    rgb: npt.NDArray[np.uint8]
    camera: Camera | None


class Outputs:
    """
    The publishers of depth, camera_info, cloud, preview and confidence, and of inverse depth.

    With `depth.output` relative, only inverse depth, its confidence and camera_info are published.
    """

    def __init__(self, scope: CameraScope, transport: Transport) -> None:
        self._transport = transport
        self._depth = create_output(scope.node, Image, scope.topic('depth/image'))
        self._camera_info = create_output(scope.node, CameraInfo, scope.topic('depth/camera_info'))
        self._points = create_output(scope.node, PointCloud2, scope.topic('points'))
        self._color = create_output(scope.node, Image, scope.topic('depth/image_color'))
        self._depth_compressed = _compressed_output(scope, 'depth/image', 'compressedDepth')
        self._color_compressed = _compressed_output(scope, 'depth/image_color', 'compressed')
        self._inverse = create_output(scope.node, Image, scope.topic('depth/inverse'))
        self._confidence = create_output(scope.node, Image, scope.topic('depth/confidence'))
        self._all = (
            *(self._depth, self._camera_info, self._points, self._color, self._inverse),
            *(self._depth_compressed, self._color_compressed, self._confidence),
        )
        self._rays = RayCache()
        self._rater = ConfidenceRater()

    @property
    def has_subscribers(self) -> bool:
        """Whether any output has a subscriber."""
        return any(publisher.get_subscription_count() for publisher in self._all)

    def publish(
        self, frame: DepthFrame, source: Source, parameters: Parameters, scale: Scale | None
    ) -> None:
        """
        Publish one frame; its inverse depth (H, W) may differ in size from the image.

        :param scale: turns it into metres; None: there are none.
        """
        if not self.has_subscribers:
            return
        inverse, confidence = frame.inverse_depth, self._rate(frame, parameters, scale)
        products = products_of(frame, source, parameters, self._rays, scale, confidence)
        if confidence is not None and self._confidence.get_subscription_count():
            self._publish_image(self._confidence, source, '32FC1', confidence)
        if parameters.depth_output == 'relative':
            if self._inverse.get_subscription_count():
                self._publish_image(self._inverse, source, '32FC1', inverse)
        elif scale is not None:
            self._publish_metres(products, source, parameters)
        # Last: in transport, a large message can displace a small one that was sent just before.
        if self._camera_info.get_subscription_count() and (fields := products.camera_info):
            self._camera_info.publish(_camera_info(fields, source))

    def _rate(
        self, frame: DepthFrame, parameters: Parameters, scale: Scale | None
    ) -> npt.NDArray[np.float32] | None:
        """Return the confidence (H, W) of a frame if an output needs it and there is depth."""
        filtered = parameters.points_min_confidence and self._points.get_subscription_count()
        needed = filtered or self._confidence.get_subscription_count()
        if not needed or (scale is None and parameters.depth_output != 'relative'):
            return None
        return self._rater.rate(frame.inverse_depth, frame.position)

    def _publish_metres(self, products: Products, source: Source, parameters: Parameters) -> None:
        if self._depth.get_subscription_count():
            encoding = parameters.depth_encoding
            self._publish_image(self._depth, source, encoding, products.depth_pixels)
        if self._points.get_subscription_count():
            self._publish_points(source, products.cloud)
        if self._color.get_subscription_count():
            self._publish_image(self._color, source, 'rgb8', products.preview)
        self._publish_compressed(products, source, parameters)

    def _publish_compressed(
        self, products: Products, source: Source, parameters: Parameters
    ) -> None:
        if self._depth_compressed.get_subscription_count():
            depth = compress_depth(
                products.depth_pixels, parameters.depth_max, parameters.depth_png_level
            )
            self._depth_compressed.publish(_compressed(depth, source))
        if self._color_compressed.get_subscription_count():
            color = compress_rgb(products.preview, parameters.color_jpeg_quality)
            self._color_compressed.publish(_compressed(color, source))

    def _publish_image(
        self, publisher: Any, source: Source, encoding: str, pixels: npt.NDArray[Any]
    ) -> None:
        image = cdr.image_of(source.stamp_ns, source.frame_id, encoding, pixels)
        self._transport.publish_image(publisher, image)

    def _publish_points(self, source: Source, points: npt.NDArray[np.float32] | None) -> None:
        if points is None:
            return
        names = tuple(field.name for field in CLOUD_FIELDS[: points.shape[2]])
        cloud = cdr.PointCloud(source.stamp_ns, source.frame_id, names, points)
        self._transport.publish_cloud(self._points, cloud)


def _compressed_output(scope: CameraScope, base: str, transport: str) -> Any:
    return create_output(scope.node, CompressedImage, scope.transport_topic(base, transport))


def _compressed(image: Compressed, source: Source) -> CompressedImage:
    data = memoryview(image.data)
    view = cdr.CompressedImageView(source.stamp_ns, source.frame_id, image.format, data)
    return compressed_message(view)


def _camera_info(fields: CameraInfoFields, source: Source) -> CameraInfo:
    header = Header(stamp=stamp_message(source.stamp_ns), frame_id=source.frame_id)
    return CameraInfo(header=header, **fields)
