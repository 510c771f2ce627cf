"""A still image with its files of true depth and of the camera."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.camera.geometry import Float32, matrix_numbers
from flashdepth_ros.camera.sampling import has_aspect
from flashdepth_ros.errors import InputError
from flashdepth_ros.stills.camera_file import read_camera
from flashdepth_ros.stills.depth_file import read_depth

UInt8 = npt.NDArray[np.uint8]

#: Pixels as they are stored: depth has no note of how an image is to be turned.
_COLOUR = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


@dataclass(frozen=True)
class Still:
    """The files of a still image; nothing is read yet."""

    name: str
    image: Path
    depth: Path
    camera: Path | None
    """In the format of camera_calibration; None: the camera is unknown."""
    units_per_metre: float
    """Of true depth in a PNG file."""

    def rgb(self) -> UInt8:
        """Return the image (H, W, 3); InputError if it cannot be read."""
        bgr = cv2.imread(str(self.image), _COLOUR)
        if bgr is None:
            raise InputError(f'{self.image.name}: cannot be read as an image')
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)

    def true_depth(self) -> Float32:
        """Return depth (H, W) in metres, NaN unknown; InputError as in `read_depth`."""
        return read_depth(self.depth, self.units_per_metre)

    def check_aspect(self, image: tuple[int, ...], depth: tuple[int, ...]) -> None:
        """
        Check that an image and its depth, of these shapes (H, W, ...), can be of one view.

        :raises InputError: their aspect ratios differ.
        """
        if not has_aspect(image, depth):
            (height, width), (rows, columns) = image[:2], depth[:2]
            raise InputError(
                f'{self.depth.name} is {columns} x {rows} px, {self.image.name} {width} x '
                f'{height} px; expected the same aspect ratio: depth of the pixels of the image'
            )

    def camera_matrix(self, shape: tuple[int, ...]) -> tuple[float, ...] | None:
        """
        Return K in row-major order for the image of this shape (H, W, ...); None if unknown.

        Distortion is not used: image and true depth have the same pixels.

        :raises InputError: the file is not a calibration, or one of another camera.
        """
        if self.camera is None:
            return None
        camera = read_camera(self.camera)
        height, width = shape[:2]
        if not has_aspect((camera.height, camera.width), (height, width)):
            raise InputError(
                f'{self.camera.name} is of {camera.width} x {camera.height} px, {self.image.name} '
                f'of {width} x {height} px; expected the calibration of the same camera'
            )
        return matrix_numbers(camera.resized(width, height).matrix)
