"""The effects of a varied clip: the style of a photograph, then a good or a poor camera."""

from __future__ import annotations

import numpy as np

from flashdepth_ros.simulation.effects import CameraEffects, Image
from flashdepth_ros.simulation.photographs import Photographs
from flashdepth_ros.simulation.sensor import SensorEffects
from flashdepth_ros.simulation.style import exchange_amplitude

STYLED_SHARE = 0.25
STRONG_SHARE = 0.5
_BETA = (0.005, 0.015)


class VariedEffects:
    """Applies the effects to the images of a clip, in order; depth is unchanged."""

    def __init__(self, seed: int, size: tuple[int, int], photographs: Photographs) -> None:
        """Draw random effects for images of `size` (width, height)."""
        rng = np.random.default_rng([0x7AEFF, seed])
        styled = photographs.paths and rng.random() < STYLED_SHARE
        self._style = photographs.draw(rng).pixels() if styled else None
        self._beta, self._share = float(rng.uniform(*_BETA)), float(rng.uniform(0.2, 0.8))
        strong = rng.random() < STRONG_SHARE
        self._camera = SensorEffects(rng, size) if strong else CameraEffects(seed, size)

    def apply(self, rgb: Image, motion_px_per_s: tuple[float, float]) -> Image:
        """
        Return the next image (H, W, 3) with the effects applied.

        :param motion_px_per_s: velocity of the image on the sensor.
        """
        if self._style is not None:
            rgb = exchange_amplitude(rgb, self._style, self._beta, self._share)
        return self._camera.apply(rgb, motion_px_per_s)
