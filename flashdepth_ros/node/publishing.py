"""The publishing thread: publishes a frame while the next one is estimated."""

from __future__ import annotations

from dataclasses import dataclass
import time

from diagnostic_msgs.msg import DiagnosticArray

from flashdepth_ros.entry_point import describe
from flashdepth_ros.node.boundary import Boundary
from flashdepth_ros.node.camera_scope import CameraScope
from flashdepth_ros.node.diagnostics import timing_message
from flashdepth_ros.node.outputs import Outputs, Source
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.node.scale_subscriber import ScaleSubscriber
from flashdepth_ros.node.statistics import FrameTimes, Statistics
from flashdepth_ros.node.threads import ProcessingThread, Progress, Wait
from flashdepth_ros.ros.transport import Transport
from flashdepth_ros.ros.wiring import create_output
from flashdepth_ros.runtime import DepthFrame
from flashdepth_ros.runtime.scale import Metres


class Publishers:
    """
    Publishers of everything about a frame: the outputs and `~/timing`.

    :param scale: gives each frame its metres.
    """

    def __init__(self, scope: CameraScope, transport: Transport, scale: ScaleSubscriber) -> None:
        self.outputs, self.scale = Outputs(scope, transport), scale
        self._timing = create_output(scope.node, DiagnosticArray, scope.topic('~/timing'))
        self._name = scope.full_name

    @property
    def has_subscribers(self) -> bool:
        """Whether any output or `~/timing` has a subscriber."""
        return self.outputs.has_subscribers or bool(self._timing.get_subscription_count())

    def publish_timing(
        self, stamp_ns: int, frame: DepthFrame, metres: Metres, times: FrameTimes
    ) -> None:
        """Publish the timing of a frame if `~/timing` has a subscriber."""
        if self._timing.get_subscription_count():
            message = timing_message(self._name, stamp_ns, frame.position, metres, times)
            self._timing.publish(message)


@dataclass(frozen=True, slots=True)
class EstimatedFrame:
    """A depth frame, its source image, and the times of the stages before publishing."""

    frame: DepthFrame
    source: Source
    parameters: Parameters
    received_s: float
    """When the image was received, by `time.perf_counter`."""
    transport_ms: float
    wait_ms: float
    decode_ms: float
    estimated_s: float
    """When estimation ended, by `time.perf_counter`."""


class PublishingThread:
    """
    Publishes frames in order, in its own thread, and counts them.

    A frame that cannot be published does not end the thread: it is counted as bad and skipped.
    """

    def __init__(self, scope: CameraScope, publishers: Publishers, statistics: Statistics) -> None:
        self._clock = scope.node.get_clock()
        self._publishers, self._statistics = publishers, statistics
        self._boundary = Boundary(scope.logger)
        name = f'{scope.camera} publishing'.strip()
        self._thread = ProcessingThread(name, self._publish, self._skip)
        self._thread.start()

    @property
    def progress(self) -> Progress:
        """What the thread is doing now."""
        return self._thread.progress

    def put(self, estimated: EstimatedFrame) -> None:
        """Start to publish a frame, after waiting for the one before: there is no queue."""
        self._thread.mailbox.wait_until_done()
        if self._thread.mailbox.put(estimated) is not None:
            self._drop()

    def close(self, wait: Wait) -> None:
        """Wait until the last frame is published, and end the thread."""
        wait(lambda: self._thread.mailbox.done)
        if self._thread.mailbox.close():
            self._drop()
        wait(self._thread.has_ended)

    def _drop(self) -> None:
        self._statistics.count_drop('replaced', 'the node was stopped')

    def _skip(self, error: BaseException) -> None:
        self._boundary.report('publishing failed', error)
        self._statistics.count_drop('failed', f'publishing failed: {describe(error)}')

    def _publish(self, estimated: EstimatedFrame) -> None:
        frame, stamp_ns = estimated.frame, estimated.source.stamp_ns
        parameters = estimated.parameters
        metres = self._publishers.scale.observe(frame, estimated.source, parameters)
        self._publishers.outputs.publish(frame, estimated.source, parameters, metres.scale)
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
        since_received_s = time.perf_counter() - estimated.received_s
        self._statistics.count_processed(times, frame.reset_reason, since_received_s)
        self._publishers.publish_timing(stamp_ns, frame, metres, times)
