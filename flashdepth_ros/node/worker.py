"""The inference thread: takes the newest image, decodes it, estimates depth, has it published."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Thread
import time

from rclpy.node import Node

from flashdepth_ros.camera.calibration import CameraInfoCache
from flashdepth_ros.errors import InputError
from flashdepth_ros.messages import read_compressed, read_rgb
from flashdepth_ros.node.mailbox import Mailbox
from flashdepth_ros.node.outputs import Source
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.node.publishing import (
    WARN_EVERY_S,
    EstimatedFrame,
    Publishers,
    PublishingThread,
)
from flashdepth_ros.node.resolution import Resolution
from flashdepth_ros.node.statistics import Statistics
from flashdepth_ros.ros.cdr import ImageView
from flashdepth_ros.ros.transport import AnyImage
from flashdepth_ros.runtime import DepthEstimator, ResetReason, StaleFrameError


@dataclass(frozen=True, slots=True)
class ResetRequest:
    """
    The number of resets requested so far, and the reason of the last one.

    Each image carries the request that was current when it arrived. So an image that was already
    in the mailbox does not start the new sequence, and an image dropped there does not lose the
    request.
    """

    number: int = 0
    reason: ResetReason = ResetReason.NONE


@dataclass(frozen=True, slots=True)
class ReceivedImage:
    """An image as it was received."""

    image: AnyImage
    transport_ms: float
    """From sending to receiving, by the time stamps of the middleware."""
    received_s: float
    """When the executor received it, by `time.perf_counter`."""
    reset_request: ResetRequest = ResetRequest()


class Worker:
    """
    Runs one estimator on the images in the mailbox, in its own thread.

    A bad image does not end the thread: it is counted and skipped, with a throttled warning.
    """

    def __init__(
        self,
        node: Node,
        estimator: DepthEstimator,
        camera_info: CameraInfoCache,
        publishers: Publishers,
        statistics: Statistics,
    ) -> None:
        self.mailbox: Mailbox[ReceivedImage] = Mailbox()
        self._node, self._logger = node, node.get_logger()
        self.estimator = estimator
        self._camera_info, self._statistics = camera_info, statistics
        self._publishing = PublishingThread(node, publishers, statistics)
        self.resolution = Resolution(estimator, self._logger)
        self.parameters = Parameters()
        self.reset_request = ResetRequest()
        self._thread = Thread(target=self._run, name='inference', daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the current frame and end the thread; count a waiting image as stale."""
        if self.mailbox.close() is not None:
            self._statistics.count_drop('stale')
        self._thread.join()
        self._publishing.close()
        self.resolution.restore()

    def put(self, received: ReceivedImage) -> None:
        """Store the newest image for the thread; count the one it replaces as stale."""
        if self.mailbox.put(received) is not None:
            self._statistics.count_drop('stale')

    def _run(self) -> None:
        while not self.mailbox.closed:
            received = self.mailbox.take()
            if received is not None:
                self._process_and_count(received)

    def _process_and_count(self, received: ReceivedImage) -> None:
        """Process one image; count it as stale or bad if that fails."""
        try:
            self._process(received)
        except StaleFrameError:
            self._statistics.count_drop('stale')
        except InputError as error:
            self.reject(error)
        except (RuntimeError, MemoryError) as error:
            # Most likely out of device memory: drop this frame, start a new sequence.
            self.estimator.reset(ResetReason.NON_FINITE)
            self._statistics.count_drop('bad')
            self._logger.error(f'inference failed: {error}', throttle_duration_sec=WARN_EVERY_S)

    def reject(self, error: InputError) -> None:
        """Count an image that cannot be used and log the reason."""
        self._statistics.count_drop('bad')
        self._logger.warning(f'image dropped: {error}', throttle_duration_sec=WARN_EVERY_S)

    def _process(self, received: ReceivedImage) -> None:
        parameters, image = self.parameters, received.image
        if received.reset_request != self.reset_request:
            self.reset_request = received.reset_request
            self.estimator.reset(received.reset_request.reason)
        taken_s = time.perf_counter()
        if parameters.max_frame_age and self._age_s(image) > parameters.max_frame_age:
            self._statistics.count_drop('stale')
            return
        rgb = read_rgb(image) if isinstance(image, ImageView) else read_compressed(image)
        decoded_s = time.perf_counter()
        camera = self._camera_info.matching(image.frame_id, *rgb.shape[:2])
        matrix = None if camera is None else camera.matrix
        self.resolution.prepare(parameters.target_rate, *rgb.shape[:2])
        frame = self.estimator.estimate(rgb, image.stamp_ns, image.frame_id, matrix)
        if frame.reset_reason == ResetReason.NON_FINITE:
            self._logger.error('the network output is not finite: new sequence')
        estimated = EstimatedFrame(
            frame,
            Source(image.stamp_ns, image.frame_id, rgb, camera),
            parameters,
            transport_ms=received.transport_ms,
            wait_ms=1e3 * (taken_s - received.received_s),
            decode_ms=1e3 * (decoded_s - taken_s),
            estimated_s=time.perf_counter(),
        )
        self._publishing.put(estimated)
        self.resolution.observe(1e3 * (time.perf_counter() - taken_s))

    def _age_s(self, image: AnyImage) -> float:
        return (self._node.get_clock().now().nanoseconds - image.stamp_ns) * 1e-9
