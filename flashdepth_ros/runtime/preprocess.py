"""Preprocessing: resize a uint8 RGB image to the inference size and normalise it."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.errors import InputError
from flashdepth_ros.network.config import PATCH, ModelConfig

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

_AREA_RATIO = 1.5
"""Above this ratio bicubic sampling would skip pixels; then pixels are averaged over areas."""


@dataclass(frozen=True)
class InferenceSize:
    """The size of the network input."""

    short_side: int = 0
    """px before rounding to patches; 0: the preset's size, but at most that of the image."""
    long_side_max: int = 2044
    """px, as in the paper."""

    def for_image(self, height: int, width: int, preset: ModelConfig) -> tuple[int, int]:
        """
        Return height and width of the network input for an image, px.

        Each side of the scaled image is rounded up to a multiple of 14.
        """
        short, long = self.limits(preset)
        if not self.short_side:
            short = min(short, height, width)
        scale = min(short / min(height, width), long / max(height, width))
        return _round_to_patches(height * scale), _round_to_patches(width * scale)

    def limits(self, preset: ModelConfig) -> tuple[int, int]:
        """Return the largest short and long side, px before rounding to patches."""
        if self.short_side:
            return self.short_side, self.long_side_max
        return preset.short_side, min(preset.long_side or self.long_side_max, self.long_side_max)


@dataclass(frozen=True)
class FixedSize:
    """The only size of the network input that an exported model takes."""

    height: int
    width: int
    source: str
    """The file, for the message of the error."""

    def for_image(self, height: int, width: int, _preset: ModelConfig) -> tuple[int, int]:
        """
        Return height and width of the network input, px.

        :raises InputError: no scale of the image gives this size, each side rounded up to a
            multiple of 14: the image would be distorted.
        """
        least = max((self.height - PATCH) / height, (self.width - PATCH) / width)
        if least < min(self.height / height, self.width / width):
            return self.height, self.width
        raise InputError(
            f'an image of {width}x{height} does not have the shape of {self.width}x{self.height}, '
            f'the only size of {self.source}: export the model for a size with the shape of the '
            'images'
        )

    def limits(self, _preset: ModelConfig) -> tuple[int, int]:
        """Return the short and the long side, px."""
        return min(self.height, self.width), max(self.height, self.width)


def _round_to_patches(side: float) -> int:
    # The tolerance keeps a product such as 448.00000000000006 at 32 patches.
    return max(1, int(np.ceil(side / PATCH - 1e-6))) * PATCH


def check_rgb(rgb: npt.NDArray[np.uint8]) -> None:
    """
    Check shape and type of an image.

    :raises InputError: shape or type is not (H, W, 3) uint8, or there are no pixels.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or not rgb.size:
        raise InputError(
            f'got an image of shape {rgb.shape} and type {rgb.dtype}; (H, W, 3) uint8 RGB expected'
        )


def resize_on_cpu(rgb: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Resize an image (H, W, 3) uint8 to (h, w, 3) float32, six times as fast as with torch."""
    pixels = rgb.astype(np.float32, order='C')
    if rgb.shape[:2] == size:
        return pixels
    method = cv2.INTER_AREA if needs_area_filter(rgb.shape, size) else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size[::-1], interpolation=method), np.float32)


def normalise_on_cpu(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Normalise (h, w, 3) in place; return a view of shape (1, 1, 3, h, w)."""
    height, width, _ = pixels.shape
    rows = pixels.reshape(height, -1)  # numpy is slow on a last axis of three
    scale, offset = _row_constants(width)
    np.multiply(rows, scale, out=rows)
    np.add(rows, offset, out=rows)
    return pixels.transpose(2, 0, 1)[None, None]


@cache
def _row_constants(width: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    mean, std = np.asarray(MEAN, np.float32), np.asarray(STD, np.float32)
    return np.tile(1 / (255 * std), width), np.tile(-mean / std, width)


def needs_area_filter(shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Return whether the image shrinks so much that bicubic sampling would skip pixels."""
    return max(shape[0] / size[0], shape[1] / size[1]) > _AREA_RATIO
