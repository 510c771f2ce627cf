"""What the node publishes of one depth frame: only what somebody listens to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from flashdepth_ros import messages
from flashdepth_ros.geometry import (
    Intrinsics,
    depth_from_inverse,
    edge_mask,
    rays,
)
from flashdepth_ros.node import cdr
from flashdepth_ros.node.cameras import Camera
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.node.transport import Transport
from flashdepth_ros.node.wiring import create_output

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Source:
    """The image that a depth frame came from, and its camera where that is known and fits."""

    stamp_ns: int
    frame_id: str
    rgb: UInt8
    camera: Camera | None


class Outputs:
    """The publishers of depth, camera_info, cloud and preview."""

    def __init__(self, node: Node, transport: Transport) -> None:
        self._transport = transport
        self._depth = create_output(node, Image, 'depth/image')
        self._camera_info = create_output(node, CameraInfo, 'depth/camera_info')
        self._points = create_output(node, PointCloud2, 'points')
        self._color = create_output(node, Image, 'depth/image_color')
        self._all = (self._depth, self._camera_info, self._points, self._color)
        self._rays: tuple[tuple[Intrinsics, int], Float32] | None = None

    @property
    def wanted(self) -> bool:
        """Whether anybody listens."""
        return any(publisher.get_subscription_count() for publisher in self._all)

    def publish(self, inverse_depth: Float32, source: Source, parameters: Parameters) -> None:
        """Publish one frame, whose inverse depth (H, W) may have another size than the image."""
        if not self.wanted:
            return
        depth = depth_from_inverse(
            inverse_depth, parameters.depth_scale, parameters.depth_min, parameters.depth_max
        )
        camera = _camera_of(source.camera, depth)
        if self._depth.get_subscription_count():
            pixels = messages.depth_data(depth, parameters.depth_encoding)
            self._publish_image(self._depth, source, parameters.depth_encoding, pixels)
        if camera is not None and self._points.get_subscription_count():
            self._publish_points(depth, camera.intrinsics, source, parameters)
        if self._color.get_subscription_count():
            preview = messages.colorize(depth, parameters.color_min, parameters.color_max)
            self._publish_image(self._color, source, 'rgb8', preview)
        # Last, because a large message right behind it can push a small one out of the transport.
        if camera is not None and self._camera_info.get_subscription_count():
            self._camera_info.publish(_camera_info(camera, source))

    def _publish_image(
        self, publisher: Any, source: Source, encoding: str, pixels: npt.NDArray[Any]
    ) -> None:
        image = cdr.image_of(source.stamp_ns, source.frame_id, encoding, pixels)
        self._transport.publish_image(publisher, image)

    def _publish_points(
        self, depth: Float32, intrinsics: Intrinsics, source: Source, parameters: Parameters
    ) -> None:
        stride = parameters.points_stride
        sampled = depth[::stride, ::stride]
        if parameters.points_edge_threshold > 0:
            sampled = sampled.copy()
            sampled[edge_mask(depth, parameters.points_edge_threshold, stride)] = np.nan
        rgb = None
        if parameters.points_color:
            rgb = _resized(source.rgb, depth.shape)[::stride, ::stride]
        packed = messages.cloud_data(sampled, self._rays_of(intrinsics, stride), rgb)
        fields = tuple(field.name for field in messages.CLOUD_FIELDS[: packed.shape[2]])
        cloud = cdr.PointCloud(source.stamp_ns, source.frame_id, fields, packed)
        self._transport.publish_cloud(self._points, cloud)

    def _rays_of(self, intrinsics: Intrinsics, stride: int) -> Float32:
        """Return the rays of a camera, computed once for each camera and stride."""
        key = (intrinsics, stride)
        if self._rays is None or self._rays[0] != key:
            self._rays = key, rays(intrinsics, stride)
        return self._rays[1]


def _camera_of(camera: Camera | None, depth: Float32) -> Camera | None:
    """Return the camera as it is for a depth image of another size."""
    height, width = depth.shape
    if camera is None or (camera.intrinsics.height, camera.intrinsics.width) == depth.shape:
        return camera
    return replace(camera, intrinsics=camera.intrinsics.resized(width, height))


def _camera_info(camera: Camera, source: Source) -> CameraInfo:
    header = Header(stamp=Time(nanoseconds=source.stamp_ns).to_msg(), frame_id=source.frame_id)
    fields = messages.camera_info_fields(camera.intrinsics, camera.info)
    return CameraInfo(header=header, **fields)


def _resized(rgb: UInt8, shape: tuple[int, ...]) -> UInt8:
    if rgb.shape[:2] == shape:
        return rgb
    return np.asarray(cv2.resize(rgb, shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
