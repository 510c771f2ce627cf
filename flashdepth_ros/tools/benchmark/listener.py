"""What the benchmark's own process hears of the depth node."""

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
from flashdepth_ros.tools.benchmark.camera import stamp_of
from flashdepth_ros.tools.benchmark.figures import COUNTS

_QUEUE = 100


class Listener:
    """This process in the graph: hears `/diagnostics`, and all the rest once it is to `listen`."""

    def __init__(self, context: Context) -> None:
        self.facts: dict[str, str] = {}
        """What the node says of itself in `/diagnostics`."""
        self.depths_ns: dict[int, int] = {}
        """When the depth image of each stamp was received; all times in ns."""
        self.clouds_ns: dict[int, int] = {}
        self.stages: dict[int, dict[str, float]] = {}
        """What `~/timing` told of each stamp."""
        self._node = Node('benchmark', context=context, use_global_arguments=False)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self._node)
        self._node.create_subscription(
            DiagnosticArray, '/diagnostics', self._take_diagnostics, _QUEUE
        )

    def listen(self) -> None:
        """Subscribe to depth, cloud and timing, as bytes where they are large."""
        # What is lost behind the node would be no fault of its own.
        every = QoSProfile(depth=_QUEUE, reliability=ReliabilityPolicy.RELIABLE)
        self._node.create_subscription(Image, 'depth/image', self._take_depth, every, raw=True)
        self._node.create_subscription(PointCloud2, 'points', self._take_cloud, every, raw=True)
        self._node.create_subscription(
            DiagnosticArray, 'flashdepth/timing', self._take_timing, _QUEUE
        )

    def spin_for(self, seconds: float) -> None:
        """Take what comes in that time."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            self._executor.spin_once(left_s)

    def counts(self) -> dict[str, int]:
        """Return what the node has counted, as far as it has told."""
        return {name: int(self.facts.get(name, 0)) for name in COUNTS}

    def forget(self) -> None:
        """Begin anew with what comes from now on."""
        self.depths_ns, self.clouds_ns, self.stages = {}, {}, {}

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self._node.destroy_node()

    def _take_diagnostics(self, message: DiagnosticArray) -> None:
        self.facts = _values(message)

    def _take_depth(self, raw: bytes) -> None:
        self.depths_ns[stamp_of(raw)] = time.time_ns()

    def _take_cloud(self, raw: bytes) -> None:
        self.clouds_ns[stamp_of(raw)] = time.time_ns()

    def _take_timing(self, message: DiagnosticArray) -> None:
        values = _values(message)
        frame = {stage: float(values[stage]) for stage in STAGES}
        self.stages[Time.from_msg(message.header.stamp).nanoseconds] = frame


def _values(message: DiagnosticArray) -> dict[str, str]:
    return {pair.key: pair.value for pair in message.status[0].values}
