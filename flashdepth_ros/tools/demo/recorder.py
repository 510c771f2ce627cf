"""Record the outputs of a depth node to a bag, as serialized messages."""

from __future__ import annotations

from collections import Counter
from functools import partial
import time
from types import TracebackType
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription
from rclpy.time import Time
from sensor_msgs.msg import Image, PointCloud2

from flashdepth_ros.bags import BagWriter

DEPTH_TOPIC = '/depth/image'
COLOR_TOPIC = '/depth/image_color'
POINTS_TOPIC = '/points'
TIMING_TOPIC = '/flashdepth/timing'
DIAGNOSTICS_TOPIC = '/diagnostics'

# Long, because a lost message is resent only after seconds, together with all later messages.
_QUEUE = 100
_STATE_TIMEOUT_S = 0.2


class Recorder:
    """
    A ROS node in this process that writes to a bag; a context manager that the caller spins.

    The depth node computes only outputs with subscribers. Therefore depth is recorded only on
    request, and the subscription to the cloud lasts from `record_cloud` to the first message.
    """

    def __init__(self, bag: BagWriter, depth: bool) -> None:
        self.stamps_ns: list[int] = []
        """Stamps of the frames that the depth node has processed."""
        self.last_output_s = time.monotonic()
        self._last_diagnostics_s = 0.0
        self._bag = bag
        self._outputs = [COLOR_TOPIC, DEPTH_TOPIC] if depth else [COLOR_TOPIC]
        self._counts: Counter[str] = Counter()
        self._context = Context()
        self._cloud: Subscription | None = None
        self._cloud_received = False

    def __enter__(self) -> Recorder:
        # Without rclpy's signal handler, the context stays valid until the block ends.
        rclpy.init(args=[], context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = Node('flashdepth_recorder', context=self._context, use_global_arguments=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        for topic in self._outputs:
            self._subscribe(topic, Image)
        for topic in (TIMING_TOPIC, DIAGNOSTICS_TOPIC):
            self._subscribe(topic, DiagnosticArray)
        self._state = self._node.create_client(GetState, '/flashdepth/get_state')
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    @property
    def is_complete(self) -> bool:
        """Whether the outputs of every frame and diagnostics after them were received."""
        complete = all(self._counts[topic] >= len(self.stamps_ns) for topic in self._outputs)
        return complete and self._last_diagnostics_s > self.last_output_s

    def spin(self, timeout_s: float) -> None:
        """Process one message; wait at most this long for it."""
        self._executor.spin_once(timeout_s)
        if self._cloud is not None and self._cloud_received:
            self._node.destroy_subscription(self._cloud)
            self._cloud = None

    def depth_node_is_active(self) -> bool:
        """Return whether the depth node reports the active state; False without a response."""
        if not self._state.service_is_ready():
            self.spin(_STATE_TIMEOUT_S)
            return False
        response = self._state.call_async(GetState.Request())
        self._executor.spin_until_future_complete(response, _STATE_TIMEOUT_S)
        if not response.done():
            self._state.remove_pending_request(response)
            return False
        return bool(response.result().current_state.id == State.PRIMARY_STATE_ACTIVE)

    def record_cloud(self) -> None:
        """Record the next cloud; further calls have no effect."""
        if self._cloud is None and not self._cloud_received:
            self._cloud = self._subscribe(POINTS_TOPIC, PointCloud2)

    def _subscribe(self, topic: str, message_type: Any) -> Subscription:
        type_name = f'{message_type.__module__.split(".")[0]}/msg/{message_type.__name__}'
        qos = QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=_QUEUE,
            reliability=ReliabilityPolicy.RELIABLE,
        )
        write = partial(self._write, topic, type_name)
        return self._node.create_subscription(message_type, topic, write, qos, raw=True)

    def _write(self, topic: str, type_name: str, data: bytes) -> None:
        if topic == POINTS_TOPIC and self._cloud_received:
            return
        self._bag.write_cdr(topic, type_name, data, time.time_ns())
        self._counts[topic] += 1
        self._cloud_received |= topic == POINTS_TOPIC
        if topic == DIAGNOSTICS_TOPIC:
            self._last_diagnostics_s = time.monotonic()
        else:
            self.last_output_s = time.monotonic()
        if topic == TIMING_TOPIC:
            header = deserialize_message(data, DiagnosticArray).header
            self.stamps_ns.append(Time.from_msg(header.stamp).nanoseconds)
