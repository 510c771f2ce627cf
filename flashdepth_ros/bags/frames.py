"""The pictures of a recording one after the other, and their depth: the offline loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from flashdepth_ros.bags.find import COMPRESSED_IMAGE, find_camera_info_topic, find_image_topic
from flashdepth_ros.bags.prefetch import Item, prefetched
from flashdepth_ros.bags.reader import BagReader, Record
from flashdepth_ros.camera.calibration import Camera, Cameras
from flashdepth_ros.errors import BagError, FlashDepthError, InputError
from flashdepth_ros.messages import read_compressed, read_rgb

if TYPE_CHECKING:
    from flashdepth_ros.runtime import DepthEstimator, DepthFrame, PendingFrame

AHEAD = 4
"""So many decoded pictures wait at most."""
TOLD_MAX = 3
"""So many skipped frames are told one by one."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of a recording: rgb (H, W, 3), the stamp of its header, and when it was stored."""

    stamp_ns: int
    recorded_ns: int
    frame_id: str
    rgb: npt.NDArray[np.uint8]
    camera: Camera | None
    """Of the camera_info in force, where that fits the picture."""


def warn(text: str) -> None:
    """Write a warning to the terminal."""
    sys.stderr.write(f'{text}\n')


class Frames:
    """
    The frames of an open bag in the order of recording, none dropped but those that are broken.

    Iterating reads and decodes in a thread beside the consumer. In force is the last valid
    camera_info recorded before an image, and before the first of them that first one.

    :param image: its topic; '': the only one of pictures, raw or compressed.
    :param camera_info: its topic; '': the one whose name has most in common with the image's.
    :param warn: is told of broken frames, the first few, and of a camera_info without use.
    :raises BagError: the bag has no such topics, or several that may be meant.
    """

    def __init__(
        self,
        bag: BagReader,
        image: str = '',
        camera_info: str = '',
        warn: Callable[[str], Any] = warn,
    ) -> None:
        self.bag = bag
        self.image = find_image_topic(bag, image)
        self.camera_info = find_camera_info_topic(bag, self.image, camera_info)
        self.skipped = 0
        """Frames met so far that could not be used."""
        self._warn = warn
        self._read = read_compressed if self.image.type == COMPRESSED_IMAGE else read_rgb

    def __len__(self) -> int:
        """Return how many images the topic has, broken ones included."""
        return self.image.count

    def __iter__(self) -> Iterator[Frame]:
        """
        Yield the frames; broken ones are counted and told.

        :raises BagError: at the place where the recording is damaged.
        """
        for found in prefetched(self._frames(), AHEAD):
            if isinstance(found, Frame):
                yield found
            else:
                self.skip(found)

    def skip(self, error: BagError | InputError) -> None:
        """Count a frame that cannot be used and tell why, if it is one of the first."""
        self.skipped += 1
        if self.skipped <= TOLD_MAX:
            self._warn(f'frame skipped: {error}')
        elif self.skipped == TOLD_MAX + 1:
            self._warn('more frames skipped; from here on they are only counted')

    def _frames(self) -> Iterator[Frame | BagError | InputError]:
        cameras = Cameras(self._warn)
        names = [self.image.name]
        if self.camera_info is not None:
            names.append(self.camera_info.name)
            for record in islice(self.bag.records(self.camera_info.name), 1):
                self._learn(cameras, record)
        for record in self.bag.records(*names):
            if record.topic != self.image.name:
                self._learn(cameras, record)
                continue
            try:
                yield self._frame(record, cameras)
            except (BagError, InputError) as error:
                yield error

    def _learn(self, cameras: Cameras, record: Record) -> None:
        try:
            cameras.receive(self.bag.message(record))
        except BagError as error:
            self._warn(f'camera_info skipped: {error}')

    def _frame(self, record: Record, cameras: Cameras) -> Frame:
        message = self.bag.message(record)
        rgb = self._read(message)
        stamp, frame_id = message.header.stamp, message.header.frame_id
        return Frame(
            stamp_ns=stamp.sec * 10**9 + stamp.nanosec,
            recorded_ns=record.stamp_ns,
            frame_id=frame_id,
            rgb=rgb,
            camera=cameras.matching(frame_id, *rgb.shape[:2]),
        )


def estimated(frames: Frames, estimator: DepthEstimator) -> Iterator[tuple[Frame, DepthFrame]]:
    """
    Yield every frame with its depth, as the live node would estimate it.

    A frame that the estimator refuses counts as skipped.

    :raises BagError: at the place where the recording is damaged.
    :raises FlashDepthError: the engine failed, most likely for want of memory.
    """
    for frame, pending in _delayed(_submitted(frames, estimator), estimator.ahead):
        with _failing():
            depth = pending.result()
        yield frame, depth


def _submitted(frames: Frames, estimator: DepthEstimator) -> Iterator[tuple[Frame, PendingFrame]]:
    for frame in frames:
        matrix = None if frame.camera is None else frame.camera.matrix
        try:
            with _failing():
                pending = estimator.submit(frame.rgb, frame.stamp_ns, frame.frame_id, matrix)
        except InputError as error:
            frames.skip(error)
        else:
            yield frame, pending


def _delayed(items: Iterator[Item], count: int) -> Iterator[Item]:
    """Yield each item when so many further ones are there, or none is left to come."""
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
    if end is not None:  # only now, behind those that came before
        raise end


@contextmanager
def _failing() -> Iterator[None]:
    """Call by its name what goes wrong with the engine."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        raise FlashDepthError(f'inference failed: {error}') from error
