"""Iterate over the images of a recording and estimate their depth: the offline loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, islice
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from flashdepth_ros.bags.find import find_camera_info_topic, find_image_topic
from flashdepth_ros.bags.prefetch import Item, prefetch
from flashdepth_ros.bags.reader import BagReader, Record
from flashdepth_ros.camera.calibration import Camera, CameraInfoCache
from flashdepth_ros.camera.camera_info import is_rectified, rectified_note
from flashdepth_ros.camera.canonical import CanonicalCamera
from flashdepth_ros.errors import BagError, FlashDepthError, InputError
from flashdepth_ros.messages import ImageReader

if TYPE_CHECKING:
    from flashdepth_ros.runtime import DepthEstimator, DepthFrame, PendingFrame

PREFETCH_MAX = 4
"""Maximum number of images decoded ahead of the consumer."""
SKIP_WARNINGS_MAX = 3
"""Number of skipped frames that are reported individually."""


@dataclass(frozen=True, slots=True)
class Frame:
    """
    An image of a recording: rgb (H, W, 3), its header stamp, and its time of recording.

    :param place: its place on the topic, which identifies it: stamps may repeat.
    """

    place: int
    stamp_ns: int
    recorded_ns: int
    frame_id: str
    rgb: npt.NDArray[np.uint8]
    camera: Camera | None
    """The current camera_info, if it matches the image; else None."""


def warn(text: str) -> None:
    """Write a warning to the terminal."""
    sys.stderr.write(f'{text}\n')


class Frames:
    """
    The frames of an open bag in the order of recording; only invalid frames are skipped.

    Iterating reads and decodes in a background thread. A frame uses the last valid camera_info
    recorded before its image; images before the first camera_info use the first one.

    :param image: the image topic; '': the only one in the bag, raw or compressed.
    :param camera_info: its topic; '': the one whose name is closest to the image topic's name.
    :param warn: called with a text for the first few invalid frames, and once for each reason
        why camera_info is missing, unusable or doubtful.
    :param bits: number of bits in use of 16-bit images; 0: found from the images.
    :param rectified: whether the images are rectified: 'true', 'false', or 'auto': by the name of
        the topic.
    :raises BagError: the bag has no such topic, or several that match.
    """

    def __init__(
        self,
        bag: BagReader,
        image: str = '',
        camera_info: str = '',
        warn: Callable[[str], Any] = warn,
        bits: int = 0,
        rectified: str = 'auto',
    ) -> None:
        self.bag = bag
        self.image = find_image_topic(bag, image)
        self.camera_info = find_camera_info_topic(bag, self.image, camera_info)
        self.skipped = 0
        """Number of invalid frames so far."""
        remedy = 'give the camera_info topic that belongs to the image topic (--info-topic)'
        self.cameras = CameraInfoCache(warn, remedy, refusal='')
        self.cameras.rectified = is_rectified(rectified, self.image.name)
        if note := rectified_note(rectified, self.image.name):
            warn(note)
        self._warn = warn
        self.bits = bits
        self._reader = ImageReader(warn, warn)

    def __len__(self) -> int:
        """Return the number of images on the topic, including invalid ones."""
        return self.image.count

    def __iter__(self) -> Iterator[Frame]:
        """
        Yield the frames; count and report invalid ones.

        :raises BagError: the recording is damaged; raised after the frames before the damage.
        """
        for result in prefetch(self._frames(), PREFETCH_MAX):
            if isinstance(result, Frame):
                yield result
            else:
                self.skip(result)

    def skip(self, error: BagError | InputError) -> None:
        """Count an invalid frame, and report the reason for the first few."""
        self.skipped += 1
        if self.skipped <= SKIP_WARNINGS_MAX:
            self._warn(f'frame skipped: {error}')
        elif self.skipped == SKIP_WARNINGS_MAX + 1:
            self._warn('more frames skipped; further ones are counted but not reported')

    def _frames(self) -> Iterator[Frame | BagError | InputError]:
        self.cameras.restart()
        self._reader.restart()
        names = [self.image.name]
        if self.camera_info is not None:
            names.append(self.camera_info.name)
            for record in islice(self.bag.records(self.camera_info.name), 1):
                self._receive_camera_info(record)
        places = count()
        for record in self.bag.records(*names):
            if record.topic != self.image.name:
                self._receive_camera_info(record)
                continue
            place = next(places)
            try:
                yield self._frame(place, record)
            except (BagError, InputError) as error:
                yield error

    def _receive_camera_info(self, record: Record) -> None:
        try:
            self.cameras.receive(self.bag.message(record))
        except BagError as error:
            self._warn(f'camera_info skipped: {error}')

    def _frame(self, place: int, record: Record) -> Frame:
        message = self.bag.message(record)
        rgb = self._reader.read(message, self.bits)
        stamp, frame_id = message.header.stamp, message.header.frame_id
        camera = self.cameras.matching(frame_id, *rgb.shape[:2])
        if camera is None:
            self.cameras.report_missing(f'no camera_info for {self.image.name}')
        return Frame(
            place=place,
            stamp_ns=stamp.sec * 10**9 + stamp.nanosec,
            recorded_ns=record.stamp_ns,
            frame_id=frame_id,
            rgb=rgb,
            camera=camera,
        )


def estimate_frames(
    frames: Frames,
    estimator: DepthEstimator,
    windows: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Frame, DepthFrame]]:
    """
    Yield every frame with its depth, estimated as in the live node or in windows.

    A frame that the estimator rejects is counted as skipped.

    :param stop: ends a window early if it returns True.
    :raises BagError: the recording is damaged; raised after the frames before the damage.
    :raises FlashDepthError: the engine failed, most likely because memory ran out.
    """
    config = estimator.config
    frames.cameras.canonical = CanonicalCamera(config.name, config.canonical_focal)
    if windows:
        # Here, because commands that estimate nothing do without PyTorch.
        from flashdepth_ros.runtime.offline import estimate_in_windows

        with _inference_errors():
            yield from estimate_in_windows(estimator, frames, frames.skip, stop)
        return
    for frame, pending in _delay(_submit(frames, estimator), estimator.ahead):
        with _inference_errors():
            depth = pending.result()
        yield frame, depth


def _submit(frames: Frames, estimator: DepthEstimator) -> Iterator[tuple[Frame, PendingFrame]]:
    for frame in frames:
        matrix = None if frame.camera is None else frame.camera.matrix
        try:
            with _inference_errors():
                pending = estimator.submit(frame.rgb, frame.stamp_ns, frame.frame_id, matrix)
        except InputError as error:
            frames.skip(error)
        else:
            yield frame, pending


def _delay(items: Iterator[Item], count: int) -> Iterator[Item]:
    """Yield each item after `count` further ones were read; at the end, yield the rest."""
    waiting: deque[Item] = deque()
    end: FlashDepthError | None = None
    try:
        for item in items:
            waiting.append(item)
            if len(waiting) > count:
                yield waiting.popleft()
    except FlashDepthError as error:
        end = error
    yield from waiting
    if end is not None:  # Raised only after the items before it.
        raise end


@contextmanager
def _inference_errors() -> Iterator[None]:
    """Raise an engine's errors as FlashDepthError."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        reason = str(error) or type(error).__name__
        raise FlashDepthError(f'inference failed: {reason}') from error
