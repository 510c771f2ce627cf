"""What a real camera does to a picture: exposure, colour, vignette, blur, noise, JPEG."""

from __future__ import annotations

from dataclasses import dataclass
import math

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Lens:
    """One clip's camera: gains of R, G, B; brightness and strengths 0..1; JPEG 0: none."""

    balance: tuple[float, float, float]
    target: float
    lag: float
    vignette: float
    contrast: float
    noise: float
    shutter_s: float
    focus_px: float
    jpeg: int


def draw_lens(rng: np.random.Generator) -> Lens:
    """Return a random camera."""
    warmth, green = float(rng.normal(0.0, 0.06)), float(rng.normal(0.0, 0.02))
    return Lens(
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


class Effects:
    """
    Applies one camera's faults to the frames of a clip, in order; depth is never touched.

    Like a camera's automatic exposure it follows the picture's brightness with some delay, so
    the same wall looks darker once a window comes into view.
    """

    def __init__(self, seed: int, size: tuple[int, int]) -> None:
        """Draw a camera for pictures of `size` (width, height)."""
        self._rng = np.random.default_rng([0xEFF, seed])
        self.lens = draw_lens(self._rng)
        self._exposure = 0.0
        width, height = size
        x = (np.arange(width) - (width - 1) / 2) / width * 2
        y = (np.arange(height) - (height - 1) / 2) / width * 2
        fall = 1.0 - self.lens.vignette * (x[None, :] ** 2 + y[:, None] ** 2) / 1.6
        self._gain = (fall[..., None] * np.asarray(self.lens.balance)).astype(np.float32)
        grain = self._rng.standard_normal((height + 61, width + 61, 3), dtype=np.float32)
        coarse = cv2.GaussianBlur(grain, (0, 0), 0.6)
        self._grain = (0.5 * grain + coarse) * np.float32(255.0 * self.lens.noise)

    def apply(self, rgb: Image, sweep_px_per_s: tuple[float, float]) -> Image:
        """
        Return what the camera makes of the next frame (H, W, 3).

        :param sweep_px_per_s: how fast the picture moves over the sensor.
        """
        lens = self.lens
        dx, dy = (speed * lens.shutter_s for speed in sweep_px_per_s)
        rgb = _motion_blur(rgb, dx, dy)
        if lens.focus_px > 0:
            rgb = _bytes(cv2.GaussianBlur(rgb, (0, 0), lens.focus_px))
        picture = rgb * (self._gain * np.float32(self._expose(rgb) * lens.contrast))
        picture += np.float32(255.0 * lens.target * (1.0 - lens.contrast))
        height, width = rgb.shape[:2]
        top, left = (int(v) for v in self._rng.integers(0, 62, 2))
        picture += self._grain[top : top + height, left : left + width]
        noisy = _bytes(cv2.convertScaleAbs(np.maximum(picture, 0.0, out=picture)))
        return _jpeg(noisy, lens.jpeg) if lens.jpeg else noisy

    def _expose(self, rgb: Image) -> float:
        """Follow the brightness, drift a little, jump now and then; return the gain."""
        lens, mean = self.lens, float(rgb[::4, ::4].mean()) / 255.0
        wanted = float(np.clip(lens.target / max(mean, 0.02), 0.5, 3.0))
        drift, jump = self._rng.normal(0.0, 0.01), self._rng.normal(0.0, 0.25)
        if self._exposure == 0.0:
            self._exposure = wanted
        self._exposure *= (wanted / self._exposure) ** lens.lag * math.exp(drift)
        if self._rng.random() < 0.012:
            self._exposure *= math.exp(jump)
        return self._exposure


def _bytes(picture: NDArray[np.generic]) -> Image:
    return picture.astype(np.uint8, copy=False)


def _motion_blur(rgb: Image, dx: float, dy: float) -> Image:
    """Return the picture smeared along a straight line of that many pixels."""
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


def _jpeg(rgb: Image, quality: int) -> Image:
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    _, data = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return _bytes(np.ascontiguousarray(np.asarray(cv2.imdecode(data, 1))[..., ::-1]))


def sweep_px(before: Array, after: Array, focal_px: float) -> tuple[float, float]:
    """Return how far the image centre moves when the camera turns from one pose to another."""
    ray = before[:3, :3].T @ after[:3, 2]
    return float(-ray[0] * focal_px), float(-ray[1] * focal_px)


def haze(
    rgb: Image, depth: NDArray[np.float32], per_m: float, air: tuple[float, float, float]
) -> Image:
    """Return the picture seen through hazy air of colour `air` (0..1); the sky stays."""
    clear = np.exp(-per_m * np.where(np.isfinite(depth), depth, np.float32(0.0)))[..., None]
    veil = np.asarray(air, np.float32) * np.float32(255.0)
    return _bytes(np.clip(rgb * clear + veil * (1.0 - clear), 0, 255))
