"""The publishing thread: publishes a frame while the next one is estimated."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
import time

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from flashdepth_ros.errors import InputError
from flashdepth_ros.node.diagnostics import timing_message
from flashdepth_ros.node.outputs import Outputs, Source
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.node.statistics import FrameTimes, Statistics
from flashdepth_ros.ros.transport import Transport
from flashdepth_ros.ros.wiring import create_output
from flashdepth_ros.runtime import DepthFrame

WARN_EVERY_S = 5.0


class Publishers:
    """Publishers of everything about a frame: the outputs and `~/timing`."""

    def __init__(self, node: Node, transport: Transport) -> None:
        self.outputs = Outputs(node, transport)
        self._timing = create_output(node, DiagnosticArray, '~/timing')
        self._name = node.get_name()

    @property
    def has_subscribers(self) -> bool:
        """Whether any output or `~/timing` has a subscriber."""
        return self.outputs.has_subscribers or bool(self._timing.get_subscription_count())

    def publish_timing(self, stamp_ns: int, frame: DepthFrame, times: FrameTimes) -> None:
        """Publish the timing of a frame if `~/timing` has a subscriber."""
        if self._timing.get_subscription_count():
            self._timing.publish(timing_message(self._name, stamp_ns, frame.position, times))


@dataclass(frozen=True, slots=True)
class EstimatedFrame:
    """A depth frame, its source image, and the times of the stages before publishing."""

    frame: DepthFrame
    source: Source
    parameters: Parameters
    transport_ms: float
    wait_ms: float
    decode_ms: float
    estimated_s: float
    """When estimation ended, by `time.perf_counter`."""


class PublishingThread:
    """
    Publishes frames in order, in its own thread, and counts them.

    A frame that cannot be published does not end the thread: it is counted and skipped, with a
    throttled error message.
    """

    def __init__(self, node: Node, publishers: Publishers, statistics: Statistics) -> None:
        self._clock, self._logger = node.get_clock(), node.get_logger()
        self._publishers, self._statistics = publishers, statistics
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix='publishing')
        self._last: Future[None] | None = None

    def put(self, estimated: EstimatedFrame) -> None:
        """Start to publish a frame, after waiting for the one before: there is no queue."""
        if self._last is not None:
            self._last.result()
        self._last = self._thread.submit(self._publish_and_count, estimated)

    def close(self) -> None:
        """Wait until the last frame is published, and end the thread."""
        self._thread.shutdown()

    def _publish_and_count(self, estimated: EstimatedFrame) -> None:
        """Publish one frame; count it as bad if that fails."""
        try:
            self._publish(estimated)
        except (InputError, RuntimeError, MemoryError) as error:
            self._statistics.count_drop('bad')
            self._logger.error(f'publishing failed: {error}', throttle_duration_sec=WARN_EVERY_S)

    def _publish(self, estimated: EstimatedFrame) -> None:
        frame, stamp_ns = estimated.frame, estimated.source.stamp_ns
        self._publishers.outputs.publish(
            frame.inverse_depth, estimated.source, estimated.parameters
        )
        times = FrameTimes(
            transport_ms=estimated.transport_ms,
            wait_ms=estimated.wait_ms,
            decode_ms=estimated.decode_ms,
            preprocess_ms=frame.times.preprocess_ms,
            inference_ms=frame.times.inference_ms,
            postprocess_ms=frame.times.postprocess_ms,
            publish_ms=1e3 * (time.perf_counter() - estimated.estimated_s),
            age_ms=1e-6 * (self._clock.now().nanoseconds - stamp_ns),
        )
        self._statistics.count_processed(times, frame.reset_reason)
        self._publishers.publish_timing(stamp_ns, frame, times)
