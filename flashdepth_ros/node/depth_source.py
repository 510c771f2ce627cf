"""The subscription to depth images that the scale is fitted to."""

from __future__ import annotations

from typing import Any, ClassVar

from rclpy.clock import Clock, ClockType
from rclpy.qos import ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from flashdepth_ros.camera.camera_info import is_rectified, read_pinhole, rectified
from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.errors import InputError
from flashdepth_ros.messages import read_depth
from flashdepth_ros.node.arrivals import Arrivals
from flashdepth_ros.node.camera_scope import CameraScope
from flashdepth_ros.ros.transport import AnyImage, MessageInfo, Transport
from flashdepth_ros.ros.wiring import Input, create_input, image_qos, info_qos
from flashdepth_ros.runtime.scale import DepthReference, OnlineScale

DEPTH = 'scale/depth'
TRANSPORT = 'compressedDepth'
CAMERA_INFO = 'scale/camera_info'
_GRAPH_PERIOD_S = 1.0


class DepthSource:
    """
    Depth images of the camera itself: raw, or compressedDepth while nobody publishes raw ones.

    A camera_info is not needed; if there is one, it must be that of the images.
    """

    topics: ClassVar[tuple[str, ...]] = (DEPTH, f'{DEPTH}/{TRANSPORT}', CAMERA_INFO)

    def __init__(self, scope: CameraScope, transport: Transport, online: OnlineScale) -> None:
        self._node, self._transport, self._online = scope.node, transport, online
        self._topics = {
            Image: scope.resolve(DEPTH),
            CompressedImage: scope.transport_topic(DEPTH, TRANSPORT),
        }
        self._subscriptions: dict[type, Subscription] = {}
        self._arrivals = Arrivals(scope.node, tuple(self._topics.values()), scope.topic(DEPTH))
        self._camera: Intrinsics | None = None
        info = Input(CameraInfo, scope.topic(CAMERA_INFO), info_qos())
        self._info = create_input(scope.node, info, self._receive_info)
        self._subscribe(Image)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = scope.node.create_timer(_GRAPH_PERIOD_S, self._check_graph, clock=steady)

    def close(self) -> None:
        """Remove the subscriptions."""
        self._node.destroy_timer(self._timer)
        for each in (self._info, *self._subscriptions.values()):
            self._node.destroy_subscription(each)
        self._subscriptions.clear()

    problem = ''
    """Nothing: the reference needs no transforms."""

    def silence(self, timeout_s: float) -> str:
        """Return why no reference has arrived for this time; '' if one has."""
        return self._arrivals.silence(timeout_s)

    def _check_graph(self) -> None:
        """Subscribe to compressed images only while there are no raw ones."""
        raw, compressed = (
            self._node.count_publishers(self._topics[kind]) for kind in (Image, CompressedImage)
        )
        if compressed and not raw:
            self._subscribe(CompressedImage)
        elif CompressedImage in self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop(CompressedImage))

    def _subscribe(self, kind: type) -> None:
        if kind not in self._subscriptions:
            what = Input(kind, self._topics[kind], image_qos(ReliabilityPolicy.BEST_EFFORT))
            self._subscriptions[kind] = self._transport.subscribe(
                self._node, what, self._receive, self._refuse
            )

    def _receive(self, image: AnyImage, _: MessageInfo) -> None:
        self._arrivals.count()
        if not self._online.running:
            return
        try:
            depth = read_depth(image)
        except InputError as error:
            self._online.refuse(str(error))
            return
        camera, (height, width) = self._camera, depth.shape
        if camera is not None and (camera.width, camera.height) != (width, height):
            camera = camera.resized(width, height)
        reference = DepthReference.of(depth, image.stamp_ns, image.frame_id, camera)
        self._online.refer(reference)

    def _refuse(self, error: InputError, _: MessageInfo) -> None:
        self._arrivals.count()
        self._online.refuse(str(error))

    def _receive_info(self, info: Any) -> None:
        try:
            is_of_rectified = is_rectified('auto', self._topics[Image])
            self._camera = read_pinhole(rectified(info) if is_of_rectified else info)
        except InputError:
            # An uncalibrated camera_info says nothing about the camera.
            self._camera = None
