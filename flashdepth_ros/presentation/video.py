"""Video of the image and its depth, side by side."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.errors import InputError
from flashdepth_ros.presentation.text import BACKGROUND, draw_text

UInt8 = npt.NDArray[np.uint8]

PANEL_WIDTH = 640
_CAPTION = 32
_GAP = 4
# Every OpenCV with FFmpeg can write this codec; the wheels have no H.264 encoder.
_CODEC = 'mp4v'


class DepthVideo:
    """
    Write an MP4 file frame by frame; a context manager.

    The first image sets the size of the video.

    :raises InputError: at the first frame, if this OpenCV cannot write the file.
    """

    def __init__(self, path: Path, rate_hz: float) -> None:
        self.path = path
        self._rate_hz = rate_hz
        self._writer: cv2.VideoWriter | None = None
        self._panel = (0, 0)

    def __enter__(self) -> DepthVideo:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.release()

    def write(self, image: UInt8, depth: UInt8, time_s: float, frames: int = 1) -> None:
        """Append an RGB image and its depth in colour (H, W, 3), repeated for `frames` frames."""
        if self._writer is None:
            self._writer = self._open(image)
        width, height = self._panel
        canvas = np.full((_CAPTION + height, 2 * width + _GAP, 3), BACKGROUND, np.uint8)
        canvas[_CAPTION:, :width] = _resized(image, self._panel)
        canvas[_CAPTION:, width + _GAP :] = _resized(depth, self._panel)
        draw_text(canvas, f'image, {time_s:.1f} s', (width // 2, _CAPTION // 2))
        draw_text(canvas, 'depth', (width + _GAP + width // 2, _CAPTION // 2))
        bgr = cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR)
        for _ in range(frames):
            self._writer.write(bgr)

    def _open(self, image: UInt8) -> cv2.VideoWriter:
        height, width = image.shape[:2]
        # The codec supports even sizes only.
        panel_width = min(width, PANEL_WIDTH) // 2 * 2
        self._panel = (panel_width, max(2, round(panel_width * height / width / 2) * 2))
        size = (2 * panel_width + _GAP, _CAPTION + self._panel[1])
        code = cv2.VideoWriter.fourcc(*_CODEC)
        writer = cv2.VideoWriter(str(self.path), code, self._rate_hz, size)
        if not writer.isOpened():
            raise InputError(
                f'{self.path}: this OpenCV {cv2.__version__} cannot write {_CODEC} video of '
                f'{size[0]} x {size[1]} px; install the wheel opencv-python-headless'
            )
        return writer


def _resized(image: UInt8, size: tuple[int, int]) -> UInt8:
    if image.shape[1::-1] == size:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
