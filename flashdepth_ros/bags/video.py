"""Convert a video file to a recording of a camera."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.bags.camera import Camera, CameraFrame, intrinsics_from_fov
from flashdepth_ros.bags.writer import BagWriter
from flashdepth_ros.errors import ConfigError, InputError

UInt8 = npt.NDArray[np.uint8]

LONG_SIDE_MAX = 1280
_JPEG_QUALITY = 95
_DEFAULT_RATE_HZ = 30.0
_FIRST_STAMP_NS = 10**9


@dataclass(frozen=True)
class VideoOptions:
    """A video file, the assumed horizontal field of view, and the maximum number of frames."""

    path: Path
    fov_deg: float = 70.0
    frames: int = 300

    def __post_init__(self) -> None:
        """Reject a field of view that no pinhole camera can have, and a frame count below 1."""
        if not 0 < self.fov_deg < 180:
            raise ConfigError(
                f'field of view {self.fov_deg:g} degrees; expected between 0 and 180'
            )
        if self.frames < 1:
            raise ConfigError(f'{self.frames} frames of {self.path}; expected 1 or more')


def record_video(options: VideoOptions, bag: Path) -> int:
    """
    Write the first frames of a video to a new bag and return their number.

    The stamps follow the video's frame rate. Images with a long side above 1280 px are downscaled
    to 1280 px.

    :raises InputError: OpenCV cannot read the file.
    """
    count = 0
    with BagWriter(bag) as writer:
        for frame in _frames(options):
            height, width = frame.rgb.shape[:2]
            camera = Camera(intrinsics_from_fov(width, height, options.fov_deg), _JPEG_QUALITY)
            for record in camera.records(frame):
                writer.write_cdr(record.topic, record.type, record.data, record.stamp_ns)
            count += 1
    return count


def _frames(options: VideoOptions) -> Iterator[CameraFrame]:
    if not options.path.is_file():
        raise InputError(f'{options.path}: no such file; give a video file')
    capture = cv2.VideoCapture(str(options.path))
    try:
        rate_hz = capture.get(cv2.CAP_PROP_FPS)
        step_ns = 1e9 / (rate_hz if 0 < rate_hz < 1000 else _DEFAULT_RATE_HZ)
        for index in range(options.frames):
            found, bgr = capture.read()
            if not found and index == 0:
                raise InputError(f'{options.path}: OpenCV cannot read it; give a video file')
            if not found:
                return
            rgb = cv2.cvtColor(_limit_size(np.asarray(bgr, np.uint8)), cv2.COLOR_BGR2RGB)
            yield CameraFrame(_FIRST_STAMP_NS + round(index * step_ns), np.asarray(rgb, np.uint8))
    finally:
        capture.release()


def _limit_size(image: UInt8) -> UInt8:
    height, width = image.shape[:2]
    scale = LONG_SIDE_MAX / max(width, height)
    if scale >= 1:
        return image
    size = (round(width * scale), round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
