"""The inference thread: takes the newest image, decodes, estimates, hands depth on to publish."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Thread
import time

from rclpy.node import Node

from flashdepth_ros.camera.calibration import Cameras
from flashdepth_ros.errors import InputError
from flashdepth_ros.messages import read_compressed, read_rgb
from flashdepth_ros.node.mailbox import Mailbox
from flashdepth_ros.node.outputs import Source
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.node.publishing import WARN_EVERY_S, Estimated, Publishers, Publishing
from flashdepth_ros.node.resolution import Resolution
from flashdepth_ros.node.statistics import Statistics
from flashdepth_ros.ros.cdr import ImageView
from flashdepth_ros.ros.transport import AnyImage
from flashdepth_ros.runtime import DepthEstimator, ResetReason, StaleFrameError


@dataclass(frozen=True, slots=True)
class Restart:
    """
    How many new sequences were asked for so far, and why the last one.

    It travels with the images: one that waited in the mailbox when a sequence was asked for does
    not start it, and one that is dropped there does not take it along.
    """

    number: int = 0
    reason: ResetReason = ResetReason.NONE


@dataclass(frozen=True, slots=True)
class Received:
    """An image on its way through the node."""

    image: AnyImage
    transport_ms: float
    """From the publisher's call to ours, as the middleware stamped both."""
    received_s: float
    """When the executor took it, by `time.perf_counter`."""
    restart: Restart = Restart()


class Worker:
    """
    Runs one estimator over what comes through the mailbox, in a thread of its own.

    No message ends it: what cannot be used is counted, told in one throttled warning, and passed
    over.
    """

    def __init__(
        self,
        node: Node,
        estimator: DepthEstimator,
        cameras: Cameras,
        publishers: Publishers,
        statistics: Statistics,
    ) -> None:
        self.mailbox: Mailbox[Received] = Mailbox()
        self._node, self._logger = node, node.get_logger()
        self.estimator = estimator
        self._cameras, self._statistics = cameras, statistics
        self._publishing = Publishing(node, publishers, statistics)
        self.resolution = Resolution(estimator, self._logger)
        self.parameters = Parameters()
        self.restart = Restart()
        self._thread = Thread(target=self._run, name='inference', daemon=True)

    def start(self) -> None:
        """Begin to take images."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the frame at hand and end; what still waited is counted as stale."""
        if self.mailbox.close() is not None:
            self._statistics.drop('stale')
        self._thread.join()
        self._publishing.close()
        self.resolution.release()

    def put(self, received: Received) -> None:
        """Hand over an image; one that it replaces is counted as stale."""
        if self.mailbox.put(received) is not None:
            self._statistics.drop('stale')

    def _run(self) -> None:
        while not self.mailbox.closed:
            received = self.mailbox.take()
            if received is not None:
                self._account(received)

    def _account(self, received: Received) -> None:
        """Process one image, or count why not."""
        try:
            self._process(received)
        except StaleFrameError:
            self._statistics.drop('stale')
        except InputError as error:
            self.reject(error)
        except (RuntimeError, MemoryError) as error:
            # Most likely the device's memory is full: this frame is lost, the next starts anew.
            self.estimator.reset(ResetReason.NON_FINITE)
            self._statistics.drop('bad')
            self._logger.error(f'inference failed: {error}', throttle_duration_sec=WARN_EVERY_S)

    def reject(self, error: InputError) -> None:
        """Count an image that cannot be used and say why."""
        self._statistics.drop('bad')
        self._logger.warning(f'image dropped: {error}', throttle_duration_sec=WARN_EVERY_S)

    def _process(self, received: Received) -> None:
        parameters, image = self.parameters, received.image
        if received.restart != self.restart:
            self.restart = received.restart
            self.estimator.reset(received.restart.reason)
        taken_s = time.perf_counter()
        if parameters.max_frame_age and self._age_s(image) > parameters.max_frame_age:
            self._statistics.drop('stale')
            return
        rgb = read_rgb(image) if isinstance(image, ImageView) else read_compressed(image)
        decoded_s = time.perf_counter()
        camera = self._cameras.matching(image.frame_id, *rgb.shape[:2])
        matrix = None if camera is None else camera.matrix
        self.resolution.prepare(parameters.target_rate, *rgb.shape[:2])
        frame = self.estimator.estimate(rgb, image.stamp_ns, image.frame_id, matrix)
        if frame.reset_reason == ResetReason.NON_FINITE:
            self._logger.error('the network gave numbers that are not finite: new sequence')
        estimated = Estimated(
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
