"""Subscribe to the depth node's outputs in the benchmark's own process."""

from __future__ import annotations

import time

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from sensor_msgs.msg import Image, PointCloud2

from flashdepth_ros.node.statistics import STAGES
from flashdepth_ros.tools.benchmark.camera import read_stamp
from flashdepth_ros.tools.benchmark.results import COUNTS

_QUEUE = 100


class Listener:
    """A node that subscribes to `/diagnostics`, and after `listen` to the other outputs."""

    def __init__(self, context: Context) -> None:
        self.diagnostics: dict[str, str] = {}
        """The values of the last `/diagnostics`."""
        self.depths_ns: dict[int, int] = {}
        """The time of arrival of the depth image of each stamp, ns."""
        self.clouds_ns: dict[int, int] = {}
        """The time of arrival of the point cloud of each stamp, ns."""
        self.stages: dict[int, dict[str, float]] = {}
        """The stage times in `~/timing` of each stamp, ms."""
        self._node = Node('benchmark', context=context, use_global_arguments=False)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self._node)
        self._node.create_subscription(
            DiagnosticArray, '/diagnostics', self._on_diagnostics, _QUEUE
        )

    def listen(self) -> None:
        """Subscribe to depth, cloud and timing; large messages are not deserialised."""
        # Reliable, because a loss between node and listener must not count as one of the node.
        qos = QoSProfile(depth=_QUEUE, reliability=ReliabilityPolicy.RELIABLE)
        self._node.create_subscription(Image, 'depth/image', self._on_depth, qos, raw=True)
        self._node.create_subscription(PointCloud2, 'points', self._on_cloud, qos, raw=True)
        self._node.create_subscription(
            DiagnosticArray, 'flashdepth/timing', self._on_timing, _QUEUE
        )

    def spin_for(self, seconds: float) -> None:
        """Process incoming messages for this time."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            self._executor.spin_once(left_s)

    def counts(self) -> dict[str, int]:
        """Return the node's counts in its last diagnostics."""
        return {name: int(self.diagnostics.get(name, 0)) for name in COUNTS}

    def clear(self) -> None:
        """Discard the measurements so far."""
        self.depths_ns, self.clouds_ns, self.stages = {}, {}, {}

    def close(self) -> None:
        """Destroy the node."""
        self._executor.shutdown()
        self._node.destroy_node()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.diagnostics = _values(message)

    def _on_depth(self, raw: bytes) -> None:
        self.depths_ns[read_stamp(raw)] = time.time_ns()

    def _on_cloud(self, raw: bytes) -> None:
        self.clouds_ns[read_stamp(raw)] = time.time_ns()

    def _on_timing(self, message: DiagnosticArray) -> None:
        values = _values(message)
        frame = {stage: float(values[stage]) for stage in STAGES}
        self.stages[Time.from_msg(message.header.stamp).nanoseconds] = frame


def _values(message: DiagnosticArray) -> dict[str, str]:
    return {pair.key: pair.value for pair in message.status[0].values}
