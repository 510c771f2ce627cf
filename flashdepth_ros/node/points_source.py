"""The subscriptions to points that the scale is fitted to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import LaserScan, PointCloud2

from flashdepth_ros.errors import InputError
from flashdepth_ros.messages import read_points, read_scan
from flashdepth_ros.node.arrivals import Arrivals
from flashdepth_ros.node.camera_scope import CameraScope
from flashdepth_ros.ros.stamps import to_nanoseconds
from flashdepth_ros.ros.transform_listener import TransformListener
from flashdepth_ros.ros.transport import Transport
from flashdepth_ros.ros.wiring import Input, create_input, image_qos
from flashdepth_ros.runtime.scale import OnlineScale, PointReference

POINTS, SCAN = 'scale/points', 'scale/scan'


class PointsSource:
    """A point cloud or a laser scan of any sensor that tf connects to the camera."""

    topics: ClassVar[tuple[str, ...]] = (POINTS, SCAN)

    def __init__(self, scope: CameraScope, transport: Transport, online: OnlineScale) -> None:
        self._node, self._online = scope.node, online
        self._transforms = TransformListener(scope.node, raw=transport.raw)
        names = tuple(scope.resolve(each) for each in self.topics)
        self._arrivals = Arrivals(
            scope.node, names, f'{scope.topic(POINTS)} or {scope.topic(SCAN)}'
        )
        self._subscriptions = [
            self._subscribe(PointCloud2, scope.topic(POINTS), read_points),
            self._subscribe(LaserScan, scope.topic(SCAN), read_scan),
        ]

    def close(self) -> None:
        """Remove the subscriptions."""
        self._transforms.close()
        for each in self._subscriptions:
            self._node.destroy_subscription(each)
        self._subscriptions.clear()

    def silence(self, timeout_s: float) -> str:
        """Return why no reference has arrived for this time; '' if one has."""
        return self._arrivals.silence(timeout_s)

    @property
    def problem(self) -> str:
        """What is wrong with the transforms; '' if nothing is."""
        return self._transforms.problem

    def _subscribe(self, kind: type, topic: str, read: Callable[[Any], Any]) -> Any:
        def receive(message: Any) -> None:
            self._arrivals.count()
            if not self._online.running:
                return
            stamp = message.header.stamp
            try:
                reference = PointReference.of(
                    read(message),
                    to_nanoseconds(stamp.sec, stamp.nanosec),
                    message.header.frame_id,
                    self._transforms.buffer,
                )
            except InputError as error:
                self._online.refuse(str(error))
            else:
                self._online.refer(reference)

        what = Input(kind, topic, image_qos(ReliabilityPolicy.BEST_EFFORT))
        return create_input(self._node, what, receive)
