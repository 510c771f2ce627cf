"""Resize windows of video to training size and augment all frames of a window equally."""

import cv2
import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.camera.sampling import is_dense
from flashdepth_ros.training.config import AugmentationConfig
from flashdepth_ros.training.resizing import resize_inverse_depth
from flashdepth_ros.training.video import Window

_LUMA = np.array([0.299, 0.587, 0.114])


def augment(
    window: Window, size: tuple[int, int], config: AugmentationConfig, random: np.random.Generator
) -> Window:
    """Return `window` at `size` (height, width, px) with random crop, flip and colours."""
    zoom = random.uniform(1.0, config.zoom)
    position = random.uniform(0.0, 1.0, size=2)
    rgb, inverse_depth, focal_px = crop_and_resize(window, size, zoom, (position[0], position[1]))
    if config.flip and random.random() < 0.5:
        rgb, inverse_depth = rgb[:, :, ::-1], inverse_depth[:, :, ::-1]
    if config.colour:
        rgb = _jitter_colour(rgb, config.colour, random)
    return Window(np.ascontiguousarray(rgb), np.ascontiguousarray(inverse_depth), focal_px)


def crop_and_resize(
    window: Window,
    size: tuple[int, int],
    zoom: float = 1.0,
    position: tuple[float, float] = (0.5, 0.5),
) -> Window:
    """
    Return `window` cropped to the aspect ratio of `size` and resized; depth is not rescaled.

    :param zoom: the largest crop of that aspect ratio is divided by this.
    :param position: where the crop lies, vertically and horizontally, 0 to 1.
    """
    height, width = window.inverse_depth.shape[1:]
    scale = min(height / size[0], width / size[1]) / zoom
    crop_height, crop_width = round(scale * size[0]), round(scale * size[1])
    top, left = (
        round(share * (whole - part))
        for share, whole, part in zip(
            position, (height, width), (crop_height, crop_width), strict=True
        )
    )
    rows, columns = slice(top, top + crop_height), slice(left, left + crop_width)
    interpolation = cv2.INTER_AREA if scale > 1.0 else cv2.INTER_LINEAR
    rgb = [
        cv2.resize(image[rows, columns], size[::-1], interpolation=interpolation)
        for image in window.rgb
    ]
    inverse_depth = [
        resize_inverse_depth(each[rows, columns], size, is_dense(each))
        for each in window.inverse_depth
    ]
    return Window(np.stack(rgb), np.stack(inverse_depth), window.focal_px / scale)


def _jitter_colour(
    rgb: NDArray[np.uint8], amount: float, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Change gamma, contrast, brightness and white balance by a lookup table, then saturation."""
    gamma, contrast, saturation = 1.0 + random.uniform(-amount, amount, size=3)
    brightness = random.uniform(-amount, amount) / 2
    balance = 1.0 + random.uniform(-amount, amount, size=3) / 2
    levels = np.linspace(0.0, 1.0, 256)[:, None] ** gamma * balance
    table = ((levels - 0.5) * contrast + 0.5 + brightness) * 255.0
    table = np.clip(np.round(table), 0, 255).astype(np.uint8)[None]  # (1, 256, 3)
    mix = saturation * np.eye(3) + (1.0 - saturation) * np.tile(_LUMA, (3, 1))
    stacked = np.ascontiguousarray(rgb.reshape(-1, rgb.shape[2], 3))
    recoloured = cv2.transform(cv2.LUT(stacked, table), mix)
    return np.asarray(recoloured, dtype=np.uint8).reshape(rgb.shape)
