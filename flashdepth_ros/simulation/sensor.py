"""Strong effects of lens, sensor and processing, for varied clips: `SensorEffects`."""

from __future__ import annotations

from dataclasses import dataclass
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.simulation.effects import Image, jpeg_coded, motion_blurred

Array = NDArray[np.float32]

_GAMMA = 2.2
# Bilinear demosaicing: what a sample of red or blue, and of green, adds to its neighbours.
_SPREAD = np.outer((0.5, 1.0, 0.5), (0.5, 1.0, 0.5)).astype(np.float32)
_SPREAD_GREEN = np.array([[0, 0.25, 0], [0.25, 1, 0.25], [0, 0.25, 0]], np.float32)


@dataclass(frozen=True)
class SensorParameters:
    """
    Effects of a clip; a strength of 0 switches an effect off.

    :param exposure_ev: over- (above 0) or underexposure against a mean brightness of 0.45.
    :param cast: gains of R, G, B.
    :param veil: share of stray light, or haze of no depth, in colour `veil_tint`.
    :param electrons: at full brightness; few are much shot noise.
    :param read_noise: standard deviation, relative to full brightness.
    :param focus_px: radius of the blur disc.
    :param shake_px: blur by shake, along x and y.
    :param coarseness: the image is reduced by this factor and enlarged again, 1: not.
    :param jpeg: quality, 0: no JPEG.
    """

    exposure_ev: float
    cast: tuple[float, float, float]
    saturation: float
    shading: float
    centre: tuple[float, float]
    veil: float
    veil_tint: tuple[float, float, float]
    electrons: float
    read_noise: float
    focus_px: float
    shake_px: tuple[float, float]
    shutter_s: float
    coarseness: float
    sharpening: float
    jpeg: int


def draw_sensor(rng: np.random.Generator) -> SensorParameters:
    """Return random effects; most clips have some of them only."""

    def sometimes(share: float, low: float, high: float) -> float:
        return float(rng.uniform(low, high)) * float(rng.random() < share)

    cast = np.exp(rng.normal(0.0, 0.14 if rng.random() < 0.5 else 0.04, 3))
    tint, shake = rng.uniform(0.3, 1.0, 3), rng.normal(0.0, 2.5, 2) * float(rng.random() < 0.2)
    noisy = rng.random() < 0.6
    return SensorParameters(
        exposure_ev=float(np.clip(rng.normal(0.0, 0.8), -2.0, 1.8)),
        cast=(float(cast[0]), float(cast[1]), float(cast[2])),
        saturation=float(rng.choice([0.0, 0.5, 1.0, 1.0, 1.0, 1.3], p=[0.05, *[0.19] * 5])),
        shading=sometimes(0.5, 0.0, 0.6),
        centre=(float(rng.normal(0.0, 0.1)), float(rng.normal(0.0, 0.1))),
        veil=sometimes(0.25, 0.1, 0.6),
        veil_tint=(float(tint[0]), float(tint[1]), float(tint[2])),
        electrons=math.exp(rng.uniform(math.log(150), math.log(8000))) if noisy else 1e5,
        read_noise=math.exp(rng.uniform(math.log(5e-4), math.log(0.02))) if noisy else 2e-4,
        focus_px=sometimes(0.3, 0.5, 2.2),
        shake_px=(float(shake[0]), float(shake[1])),
        shutter_s=math.exp(rng.uniform(math.log(0.002), math.log(0.04))),
        coarseness=1.0 + sometimes(0.15, 0.2, 1.2),
        sharpening=sometimes(0.2, 0.3, 1.2),
        jpeg=int(rng.integers(12, 92)) if rng.random() < 0.5 else 0,
    )


class SensorEffects:
    """Applies the same effects to the images of a clip, in order, with new noise for each."""

    def __init__(self, rng: np.random.Generator, size: tuple[int, int]) -> None:
        """Draw random effects for images of `size` (width, height)."""
        self._rng, self.parameters = rng, draw_sensor(rng)
        self._gain = 0.0
        width, height = size
        x = np.linspace(-1.0, 1.0, width) - self.parameters.centre[0]
        y = np.linspace(-1.0, 1.0, height) - self.parameters.centre[1]
        falloff = 1.0 - self.parameters.shading * np.minimum(x**2 + y[:, None] ** 2, 2.0) / 2.0
        self._lens = (falloff[..., None] * np.asarray(self.parameters.cast)).astype(np.float32)
        self._mosaic = _bayer(height, width)

    def apply(self, rgb: Image, motion_px_per_s: tuple[float, float]) -> Image:
        """
        Return the next image (H, W, 3) with the effects applied.

        :param motion_px_per_s: velocity of the image on the sensor.
        """
        parameters = self.parameters
        blur = (
            speed * parameters.shutter_s + shake
            for speed, shake in zip(motion_px_per_s, parameters.shake_px, strict=True)
        )
        rgb = _defocused(motion_blurred(rgb, *blur), parameters.focus_px)
        light = (rgb.astype(np.float32) / np.float32(255.0)) ** np.float32(_GAMMA)
        light = self._noisy(self._exposed(light * self._lens))
        image = np.clip(light, 0.0, 1.0) ** np.float32(1.0 / _GAMMA)
        return self._processed(image)

    def _exposed(self, light: Array) -> Array:
        """Return the light after stray light and exposure, which the first image sets."""
        parameters = self.parameters
        tint = np.asarray(parameters.veil_tint, np.float32) * np.float32(light.mean() + 0.02)
        light = light + parameters.veil * (tint - light)
        if self._gain == 0.0:
            wanted = 0.45**_GAMMA * 2.0**parameters.exposure_ev
            self._gain = min(wanted / max(float(light.mean()), 1e-3), 40.0)
        return (light * np.float32(self._gain)).astype(np.float32, copy=False)

    def _noisy(self, light: Array) -> Array:
        """Return the light with shot and read noise, correlated as demosaicing makes it."""
        parameters = self.parameters
        variance = np.maximum(light, 0.0) / parameters.electrons + parameters.read_noise**2
        noise = self._rng.standard_normal(light.shape, dtype=np.float32) * np.sqrt(variance)
        noise = (noise * self._mosaic).astype(np.float32)
        for channel, kernel in enumerate((_SPREAD, _SPREAD_GREEN, _SPREAD)):
            noise[..., channel] = cv2.filter2D(noise[..., channel], -1, kernel)
        return light + noise

    def _processed(self, image: Array) -> Image:
        """Return the image (0..1) as a camera stores it."""
        parameters = self.parameters
        grey = image.mean(axis=2, keepdims=True)
        image = grey + np.float32(parameters.saturation) * (image - grey)
        if parameters.sharpening > 0:
            soft = cv2.GaussianBlur(image, (0, 0), 1.2)
            image = image + np.float32(parameters.sharpening) * (image - soft)
        stored = (np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
        stored = _coarsened(stored, parameters.coarseness)
        return jpeg_coded(stored, parameters.jpeg) if parameters.jpeg else stored


def _bayer(height: int, width: int) -> Array:
    """Return 1 (H, W, 3) where a sensor with a Bayer pattern samples a channel, else 0."""
    mosaic = np.zeros((height, width, 3), np.float32)
    mosaic[0::2, 0::2, 0] = mosaic[1::2, 1::2, 2] = 1.0
    mosaic[0::2, 1::2, 1] = mosaic[1::2, 0::2, 1] = 1.0
    return mosaic


def _defocused(rgb: Image, radius_px: float) -> Image:
    if radius_px == 0.0:
        return rgb
    reach = math.ceil(radius_px) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius_px + 0.5 - np.hypot(x, y), 0.0, 1.0)
    return cv2.filter2D(rgb, -1, disc / disc.sum()).astype(np.uint8, copy=False)


def _coarsened(rgb: Image, factor: float) -> Image:
    if factor == 1.0:
        return rgb
    height, width = rgb.shape[:2]
    small = (max(8, round(width / factor)), max(8, round(height / factor)))
    reduced = cv2.resize(rgb, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
