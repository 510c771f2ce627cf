"""What the inference thread does with the images of one camera: decode, estimate, publish."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import time

import numpy as np
import numpy.typing as npt

from flashdepth_ros.entry_point import describe
from flashdepth_ros.errors import InputError
from flashdepth_ros.messages import ImageReader
from flashdepth_ros.node.boundary import WARN_EVERY_S, Boundary
from flashdepth_ros.node.camera_stream import CameraStream
from flashdepth_ros.node.diagnostics import NETWORK_FAILED
from flashdepth_ros.node.outputs import Source
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.node.publishing import EstimatedFrame, PublishingThread
from flashdepth_ros.node.received_image import ReceivedImage, WarmUp
from flashdepth_ros.node.resolution import Resolution
from flashdepth_ros.node.swapped_frames import SwappedFrames
from flashdepth_ros.ros.transport import AnyImage
from flashdepth_ros.runtime import DepthEstimator, DepthFrame, ResetReason, StaleFrameError
from flashdepth_ros.runtime.depth_frame import PendingFrame
from flashdepth_ros.runtime.device_errors import is_device_lost
from flashdepth_ros.runtime.memory import is_out_of_memory


@dataclass(frozen=True, slots=True)
class PreparedFrame:
    """An image that is ready for the network."""

    received: ReceivedImage
    source: Source
    parameters: Parameters
    pending: PendingFrame
    taken_s: float
    """When it was taken from the mailbox, by `time.perf_counter`."""
    decoded_s: float


class FrameProcessor:
    """
    Runs one camera's estimator in the inference thread, and its publishing thread.

    :param stream: the camera's, whose parameters apply from image to image.
    """

    def __init__(self, stream: CameraStream, estimator: DepthEstimator) -> None:
        self._stream, self._logger = stream, stream.scope.logger
        self.estimator = estimator
        self.publishing = PublishingThread(stream.scope, stream.publishers, stream.statistics)
        self._reader = ImageReader(self._logger.info, self._logger.warning)
        self.resolution = Resolution(estimator, self._logger)
        self._reset_request = stream.reset_request
        self._swapped, self._swaps_logged = SwappedFrames(), False
        self._boundary = Boundary(self._logger)
        self.lost_device = ''
        """Why the GPU cannot be used any more in this process; '' if it can."""

    @property
    def warnings(self) -> Iterator[str]:
        """What the user has to know, or can do about unnecessary resets."""
        if self._advice:
            yield self._advice
        if self.resolution.warning:
            yield self.resolution.warning

    @property
    def _advice(self) -> str:
        return self._swapped.advice(time.monotonic())

    def fail(self, error: BaseException) -> None:
        """Count an image that was not processed and log the reason."""
        if isinstance(error, StaleFrameError):
            self._stream.statistics.count_drop('back', str(error))
        elif isinstance(error, InputError):
            self._stream.reject(error)
        else:
            # The recurrent state may be inconsistent.
            self.estimator.reset(ResetReason.NON_FINITE)
            if is_out_of_memory(error):
                self.resolution.shrink()
            if is_device_lost(error):
                self.lost_device = str(error).partition('\n')[0]
            self._boundary.report('inference failed', error)
            reason = f'inference failed: {describe(error)}'
            self._stream.statistics.count_drop('failed', reason)

    def warm_up(self, size: WarmUp) -> None:
        """Prepare for images of a size, unless images were processed before."""
        if self.estimator.state is not None:
            return
        try:
            self.resolution.prepare(self._stream.parameters.target_rate, size.height, size.width)
            self.estimator.warm_up(size.height, size.width)
        except Exception as error:  # noqa: BLE001 - images of another size may come
            self._boundary.report('warm-up failed', error)
            return
        self._logger.info(f'ready for images of {size.width}x{size.height}')

    def prepare(self, received: ReceivedImage) -> PreparedFrame | None:
        """
        Decode an image and prepare it for the network; None if it is too old.

        :raises InputError: it cannot be used.
        """
        parameters, image = self._stream.parameters, received.image
        if received.reset_request != self._reset_request:
            self._reset_request = received.reset_request
            self.estimator.reset(received.reset_request.reason)
            self._reader.restart()
        taken_s = time.perf_counter()
        if self._is_too_old(image, parameters.max_frame_age):
            return None
        rgb = self._decode(image, parameters.image_bits)
        decoded_s = time.perf_counter()
        camera = self._stream.camera_info.cache.matching(image.frame_id, *rgb.shape[:2])
        self.resolution.prepare(parameters.target_rate, *rgb.shape[:2])
        matrix = None if camera is None else camera.matrix
        pending = self.estimator.prepare(rgb, image.stamp_ns, image.frame_id, matrix)
        source = Source(image.stamp_ns, image.frame_id, rgb, camera)
        return PreparedFrame(received, source, parameters, pending, taken_s, decoded_s)

    def publish(self, prepared: PreparedFrame) -> None:
        """Wait for the network's depth of a frame and have it published."""
        frame = prepared.pending.result()
        self._report(frame, prepared.source)
        estimated = EstimatedFrame(
            frame,
            prepared.source,
            prepared.parameters,
            received_s=prepared.received.received_s,
            transport_ms=prepared.received.transport_ms,
            wait_ms=1e3 * (prepared.taken_s - prepared.received.received_s),
            decode_ms=1e3 * (prepared.decoded_s - prepared.taken_s),
            estimated_s=time.perf_counter(),
        )
        self.publishing.put(estimated)

    def _is_too_old(self, image: AnyImage, limit_s: float) -> bool:
        """Return whether an image is older than `max_frame_age`; then count and report it."""
        now_ns = self._stream.scope.node.get_clock().now().nanoseconds
        age_s = (now_ns - image.stamp_ns) * 1e-9
        if not limit_s or age_s <= limit_s:
            return False
        self._stream.statistics.count_drop('old', f'{age_s:.2f} s old')
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

    def _report(self, frame: DepthFrame, source: Source) -> None:
        """Log a network that failed, and stamps that go back again and again."""
        if frame.reset_reason == ResetReason.NON_FINITE:
            self._logger.error(NETWORK_FAILED)
        self._swapped.observe(source.stamp_ns, frame.position.reset_reason, time.monotonic())
        if not self._swaps_logged and self._advice:
            self._swaps_logged = True
            self._logger.warning(self._advice)
