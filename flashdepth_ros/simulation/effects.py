"""Simulate the image effects of a camera: exposure, colour, vignette, blur, noise, JPEG."""

from __future__ import annotations

from dataclasses import dataclass
import math

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class EffectParameters:
    """Effects of a clip: gains of R, G, B; brightness and strengths 0..1; jpeg 0: no JPEG."""

    balance: tuple[float, float, float]
    target: float
    lag: float
    vignette: float
    contrast: float
    noise: float
    shutter_s: float
    focus_px: float
    jpeg: int


def draw_effect_parameters(rng: np.random.Generator) -> EffectParameters:
    """Return random effects."""
    warmth, green = float(rng.normal(0.0, 0.06)), float(rng.normal(0.0, 0.02))
    return EffectParameters(
        balance=(1.0 + warmth, 1.0 + green, 1.0 - warmth),
        target=float(np.clip(rng.normal(0.46, 0.07), 0.25, 0.65)),
        lag=float(rng.uniform(0.03, 0.4)),
        vignette=float(rng.uniform(0.0, 0.45)) * float(rng.random() < 0.6),
        contrast=float(rng.uniform(0.85, 1.3)),
        noise=float(math.exp(rng.uniform(math.log(0.002), math.log(0.025)))),
        shutter_s=float(math.exp(rng.uniform(math.log(0.002), math.log(0.03)))),
        focus_px=float(rng.choice([0.0, 0.0, 0.4, 0.7])),
        jpeg=int(rng.integers(45, 96)) if rng.random() < 0.5 else 0,
    )


class CameraEffects:
    """
    Applies the effects of a camera to the images of a clip, in order; depth is unchanged.

    The automatic exposure follows the brightness of the image with some delay, so that the same
    wall gets darker when a window comes into view.
    """

    def __init__(self, seed: int, size: tuple[int, int]) -> None:
        """Draw random effects for images of `size` (width, height)."""
        self._rng = np.random.default_rng([0xEFF, seed])
        self.parameters = draw_effect_parameters(self._rng)
        self._exposure = 0.0
        width, height = size
        x = (np.arange(width) - (width - 1) / 2) / width * 2
        y = (np.arange(height) - (height - 1) / 2) / width * 2
        falloff = 1.0 - self.parameters.vignette * (x[None, :] ** 2 + y[:, None] ** 2) / 1.6
        self._gain = (falloff[..., None] * np.asarray(self.parameters.balance)).astype(np.float32)
        grain = self._rng.standard_normal((height + 61, width + 61, 3), dtype=np.float32)
        coarse = cv2.GaussianBlur(grain, (0, 0), 0.6)
        self._grain = (0.5 * grain + coarse) * np.float32(255.0 * self.parameters.noise)

    def apply(self, rgb: Image, motion_px_per_s: tuple[float, float]) -> Image:
        """
        Return the next image (H, W, 3) with the effects applied.

        :param motion_px_per_s: velocity of the image on the sensor.
        """
        parameters = self.parameters
        dx, dy = (speed * parameters.shutter_s for speed in motion_px_per_s)
        rgb = motion_blurred(rgb, dx, dy)
        if parameters.focus_px > 0:
            rgb = _bytes(cv2.GaussianBlur(rgb, (0, 0), parameters.focus_px))
        gain = np.float32(self._expose(rgb) * parameters.contrast)
        image = rgb * (self._gain * gain)
        image += np.float32(255.0 * parameters.target * (1.0 - parameters.contrast))
        height, width = rgb.shape[:2]
        top, left = (int(v) for v in self._rng.integers(0, 62, 2))
        image += self._grain[top : top + height, left : left + width]
        noisy = _bytes(cv2.convertScaleAbs(np.maximum(image, 0.0, out=image)))
        return jpeg_coded(noisy, parameters.jpeg) if parameters.jpeg else noisy

    def _expose(self, rgb: Image) -> float:
        """Return the exposure gain: it follows the brightness, with drift and occasional jumps."""
        parameters, mean = self.parameters, float(rgb[::4, ::4].mean()) / 255.0
        target = float(np.clip(parameters.target / max(mean, 0.02), 0.5, 3.0))
        drift, jump = self._rng.normal(0.0, 0.01), self._rng.normal(0.0, 0.25)
        if self._exposure == 0.0:
            self._exposure = target
        self._exposure *= (target / self._exposure) ** parameters.lag * math.exp(drift)
        if self._rng.random() < 0.012:
            self._exposure *= math.exp(jump)
        return self._exposure


def _bytes(image: NDArray[np.generic]) -> Image:
    return image.astype(np.uint8, copy=False)


def motion_blurred(rgb: Image, dx: float, dy: float) -> Image:
    """Return the image blurred along a line of (dx, dy) pixels."""
    length = math.hypot(dx, dy)
    if length < 1.2:
        return rgb
    scale = min(1.0, 24.0 / length)
    reach = math.ceil(length * scale / 2) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    ends = [
        (round((reach + s * dx * scale / 2) * 16), round((reach + s * dy * scale / 2) * 16))
        for s in (-1, 1)
    ]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 4)
    return _bytes(cv2.filter2D(rgb, -1, kernel / kernel.sum()))


def jpeg_coded(rgb: Image, quality: int) -> Image:
    """Return the image after JPEG compression."""
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    _, data = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return _bytes(np.ascontiguousarray(np.asarray(cv2.imdecode(data, 1))[..., ::-1]))


def image_motion_px(before: Array, after: Array, focal_px: float) -> tuple[float, float]:
    """Return the motion of the image centre, px, for the rotation between two poses."""
    ray = before[:3, :3].T @ after[:3, 2]
    return float(-ray[0] * focal_px), float(-ray[1] * focal_px)


def add_haze(
    rgb: Image, depth: NDArray[np.float32], per_m: float, air: tuple[float, float, float]
) -> Image:
    """Return the image with haze of colour `air` (0..1); the sky is unchanged."""
    clear = np.exp(-per_m * np.where(np.isfinite(depth), depth, np.float32(0.0)))[..., None]
    veil = np.asarray(air, np.float32) * np.float32(255.0)
    return _bytes(np.clip(rgb * clear + veil * (1.0 - clear), 0, 255))
