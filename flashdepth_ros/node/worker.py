"""The inference thread: takes the newest image of each camera in turn and has it processed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
import time

from flashdepth_ros.node.camera_stream import CameraStream
from flashdepth_ros.node.frame_processor import FrameProcessor, PreparedFrame
from flashdepth_ros.node.received_image import ReceivedImage, WarmUp
from flashdepth_ros.node.threads import ProcessingThread, Progress, Wait
from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.batch import launch_together

_Item = tuple[CameraStream, ReceivedImage | WarmUp]
_RECENT_ROUNDS = 2


class Worker:
    """
    Runs the estimators of all cameras in one thread.

    A bad image does not end the thread: it is counted and skipped, with a throttled warning.

    :param estimators: each stream's own.
    :param batching: run images of several cameras that wait at the same time as a batch.
    """

    def __init__(
        self, estimators: Mapping[CameraStream, DepthEstimator], batching: bool = False
    ) -> None:
        self._processors = {
            stream: FrameProcessor(stream, estimator) for stream, estimator in estimators.items()
        }
        self._batching = batching
        self._recent: deque[CameraStream] = deque(maxlen=_RECENT_ROUNDS * len(self._processors))
        self._thread = ProcessingThread('inference', self._process, self._skip)
        self._current: list[CameraStream] = []

    @property
    def progress(self) -> tuple[Progress, ...]:
        """What the threads are doing; inference waits for publishing."""
        publishing = (each.publishing.progress for each in self._processors.values())
        return *publishing, self._thread.progress

    @property
    def lost_device(self) -> str:
        """Why the GPU cannot be used any more in this process; '' if it can."""
        reasons = (each.lost_device for each in self._processors.values())
        return next(filter(None, reasons), '')

    def processor(self, stream: CameraStream) -> FrameProcessor:
        """Return what processes the images of a camera."""
        return self._processors[stream]

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, wait: Wait) -> bool:
        """
        Finish the current frame and end the threads; count waiting images as replaced.

        :return: whether the estimators are free; False: the thread is still inside a call.
        """
        for stream, item in self._thread.mailbox.close():
            if isinstance(item, ReceivedImage):
                stream.statistics.count_drop('replaced')
        wait(self._thread.has_ended)
        for processor in self._processors.values():
            processor.publishing.close(wait)
        # It may have waited for a publishing thread.
        ended = wait(self._thread.has_ended)
        if ended:
            for processor in self._processors.values():
                processor.resolution.restore()
        return ended

    def put(self, stream: CameraStream, received: ReceivedImage) -> None:
        """Store the newest image of a camera for the thread; count the one it replaces."""
        if self._thread.mailbox.put((stream, received), sender=stream) is not None:
            stream.statistics.count_drop('replaced')

    def warm_up(self, stream: CameraStream, size: WarmUp) -> None:
        """Have the thread prepare for images of a size before they come."""
        self._thread.mailbox.put((stream, size), sender=(stream, WarmUp))

    def _process(self, first: _Item) -> None:
        start_s = time.perf_counter()
        waiting = self._thread.mailbox.take_waiting() if self._batching else []
        self._current = [first[0]]
        items = list(self._images([first, *waiting]))
        if not items:
            return
        self._current = [stream for stream, _ in items]
        prepared = [frame for frame in (self._prepare(*item) for item in items) if frame]
        if prepared:
            self._estimate(prepared)
        self._observe(1e3 * (time.perf_counter() - start_s))

    def _images(self, items: Sequence[_Item]) -> Iterator[tuple[CameraStream, ReceivedImage]]:
        """Yield the images of items; warm up for the others."""
        for stream, item in items:
            if isinstance(item, WarmUp):
                self._processors[stream].warm_up(item)
            else:
                yield stream, item

    def _skip(self, error: BaseException) -> None:
        """Report what failed outside of the images' own processing."""
        self._processors[self._current[0]].fail(error)

    def _prepare(
        self, stream: CameraStream, received: ReceivedImage
    ) -> tuple[FrameProcessor, PreparedFrame] | None:
        processor = self._processors[stream]
        try:
            frame = processor.prepare(received)
        except BaseException as error:  # noqa: BLE001 - it must not end the others
            processor.fail(error)
            return None
        return None if frame is None else (processor, frame)

    def _estimate(self, prepared: Sequence[tuple[FrameProcessor, PreparedFrame]]) -> None:
        """Run the network on prepared frames and have them published, or skip all of them."""
        try:
            launch_together(
                [processor.estimator for processor, _ in prepared],
                [frame.pending for _, frame in prepared],
            )
        except BaseException as error:  # noqa: BLE001 - it must not end the thread
            for processor, _ in prepared:
                processor.fail(error)
            return
        for processor, frame in prepared:
            try:
                processor.publish(frame)
            except BaseException as error:  # noqa: BLE001 - it must not end the others
                processor.fail(error)

    def _observe(self, elapsed_ms: float) -> None:
        """Record what a frame of each camera takes, with the others' in between."""
        self._recent.extend(self._current)
        share = len(set(self._recent)) / len(self._current)
        for stream in self._current:
            self._processors[stream].resolution.observe(share * elapsed_ms)
