"""The inference thread: takes the newest image, decodes it, estimates depth, has it published."""

from __future__ import annotations

from dataclasses import dataclass
import time

import numpy as np
import numpy.typing as npt
from rclpy.node import Node

from flashdepth_ros.camera.calibration import CameraInfoCache
from flashdepth_ros.entry_point import describe
from flashdepth_ros.errors import InputError
from flashdepth_ros.messages import ImageReader
from flashdepth_ros.node.boundary import WARN_EVERY_S, Boundary
from flashdepth_ros.node.diagnostics import NETWORK_FAILED
from flashdepth_ros.node.outputs import Source
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.node.publishing import EstimatedFrame, Publishers, PublishingThread
from flashdepth_ros.node.resolution import Resolution
from flashdepth_ros.node.statistics import Statistics
from flashdepth_ros.node.swapped_frames import SwappedFrames
from flashdepth_ros.node.threads import ProcessingThread, Progress, Wait
from flashdepth_ros.ros.transport import AnyImage
from flashdepth_ros.runtime import DepthEstimator, DepthFrame, ResetReason, StaleFrameError


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
        self._node, self._logger = node, node.get_logger()
        self.estimator = estimator
        self._camera_info, self._statistics = camera_info, statistics
        self._publishing = PublishingThread(node, publishers, statistics)
        self._reader = ImageReader(self._logger.info, self._logger.warning)
        self.resolution = Resolution(estimator, self._logger)
        self.parameters = Parameters()
        self.reset_request = ResetRequest()
        self._swapped, self._swaps_logged = SwappedFrames(), False
        self._boundary = Boundary(self._logger)
        self._thread = ProcessingThread('inference', self._process, self._skip)

    @property
    def progress(self) -> tuple[Progress, Progress]:
        """What the threads are doing; inference waits for publishing."""
        return self._publishing.progress, self._thread.progress

    @property
    def advice(self) -> str:
        """What the user can do about unnecessary resets; '' if there are none."""
        return self._swapped.advice(time.monotonic())

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, wait: Wait) -> bool:
        """
        Finish the current frame and end the threads; count a waiting image as replaced.

        :return: whether the estimator is free; False: its thread is still inside a call.
        """
        if self._thread.mailbox.close() is not None:
            self._statistics.count_drop('replaced')
        wait(self._thread.has_ended)
        self._publishing.close(wait)
        # It may have waited for the publishing thread.
        ended = wait(self._thread.has_ended)
        if ended:
            self.resolution.restore()
        return ended

    def put(self, received: ReceivedImage) -> None:
        """Store the newest image for the thread; count the one it replaces."""
        if self._thread.mailbox.put(received) is not None:
            self._statistics.count_drop('replaced')

    def reject(self, error: InputError) -> None:
        """Count an image that cannot be used and log the reason."""
        self._logger.warning(f'image dropped: {error}', throttle_duration_sec=WARN_EVERY_S)
        self._statistics.count_drop('bad', str(error))

    def _skip(self, error: BaseException) -> None:
        """Count an image that was not processed and log the reason."""
        if isinstance(error, StaleFrameError):
            self._statistics.count_drop('back', str(error))
        elif isinstance(error, InputError):
            self.reject(error)
        else:
            self._boundary.report('inference failed', error)
            self._statistics.count_drop('failed', f'inference failed: {describe(error)}')

    def _process(self, received: ReceivedImage) -> None:
        parameters, image = self.parameters, received.image
        if received.reset_request != self.reset_request:
            self.reset_request = received.reset_request
            self.estimator.reset(received.reset_request.reason)
            self._reader.restart()
        taken_s = time.perf_counter()
        if self._is_too_old(image, parameters.max_frame_age):
            return
        rgb = self._decode(image, parameters.image_bits)
        decoded_s = time.perf_counter()
        camera = self._camera_info.matching(image.frame_id, *rgb.shape[:2])
        self.resolution.prepare(parameters.target_rate, *rgb.shape[:2])
        source = Source(image.stamp_ns, image.frame_id, rgb, camera)
        estimated = EstimatedFrame(
            self._estimate(source),
            source,
            parameters,
            transport_ms=received.transport_ms,
            wait_ms=1e3 * (taken_s - received.received_s),
            decode_ms=1e3 * (decoded_s - taken_s),
            estimated_s=time.perf_counter(),
        )
        self._publishing.put(estimated)
        self.resolution.observe(1e3 * (time.perf_counter() - taken_s))

    def _is_too_old(self, image: AnyImage, limit_s: float) -> bool:
        """Return whether an image is older than `max_frame_age`; then count and report it."""
        age_s = (self._node.get_clock().now().nanoseconds - image.stamp_ns) * 1e-9
        if not limit_s or age_s <= limit_s:
            return False
        self._statistics.count_drop('old', f'{age_s:.2f} s old')
        self._logger.warning(
            f'image dropped: its stamp is {age_s:.2f} s old, max_frame_age is {limit_s:g} s; '
            'compare the clocks of camera and node, or increase max_frame_age',
            throttle_duration_sec=WARN_EVERY_S,
        )
        return True

    def _decode(self, image: AnyImage, bits: int) -> npt.NDArray[np.uint8]:
        """
        Return the pixels (H, W, 3) of an image.

        :raises InputError: it cannot be read, for any reason.
        """
        try:
            return self._reader.read(image, bits)
        except InputError:
            raise
        except Exception as error:
            raise InputError(describe(error)) from error

    def _estimate(self, source: Source) -> DepthFrame:
        """Estimate the depth of an image; start a new sequence if that fails half-way."""
        matrix = None if source.camera is None else source.camera.matrix
        try:
            frame = self.estimator.estimate(source.rgb, source.stamp_ns, source.frame_id, matrix)
        except InputError:
            raise
        except BaseException:
            # The recurrent state may be inconsistent.
            self.estimator.reset(ResetReason.NON_FINITE)
            raise
        if frame.reset_reason == ResetReason.NON_FINITE:
            self._logger.error(NETWORK_FAILED)
        self._swapped.observe(source.stamp_ns, frame.position.reset_reason, time.monotonic())
        if not self._swaps_logged and self.advice:
            self._swaps_logged = True
            self._logger.warning(self.advice)
        return frame
