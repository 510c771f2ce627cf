"""Cube maps of a sky with clouds, for the sky box of the renderer."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.simulation.patterns import SIZE, noise
from flashdepth_ros.simulation.scene import Sky

FACE = 128


@lru_cache(maxsize=8)
def _clouds(seed: int) -> NDArray[np.float32]:
    return noise(np.random.default_rng([0xC10D, seed]), 1.5)


@lru_cache(maxsize=1)
def _directions() -> NDArray[np.float32]:
    """Return unit directions (6 * FACE, FACE, 3), z up, of the cube faces +x -x +y -y +z -z."""
    line = (np.arange(FACE, dtype=np.float32) + 0.5) / FACE * 2.0 - 1.0
    s, t = np.meshgrid(line, line)
    one = np.ones_like(s)
    # The faces of OpenGL's cube map; its +y is up in the world frame.
    faces = [
        (one, -t, -s),
        (-one, -t, s),
        (s, one, t),
        (s, -one, -t),
        (s, -t, one),
        (-s, -t, -one),
    ]
    stacked = np.concatenate([np.stack([x, -z, y], axis=-1) for x, y, z in faces])
    unit = stacked / np.linalg.norm(stacked, axis=-1, keepdims=True)
    return unit.astype(np.float32)


def cube_map(sky: Sky) -> NDArray[np.uint8]:
    """Return the six faces stacked, (6 * FACE, FACE, 3) uint8."""
    direction = _directions()
    up = direction[..., 2:]
    zenith, horizon = (np.asarray(c, np.float32) for c in (sky.zenith, sky.horizon))
    blend = np.clip(up, 0.0, 1.0) ** 0.6
    image = horizon * (1.0 - blend) + zenith * blend
    # A flat layer of clouds in perspective, fading out towards the horizon.
    plane = direction[..., :2] / np.maximum(up, 0.05) * SIZE / 6.0
    pattern = cv2.remap(
        _clouds(sky.seed), plane[..., 0], plane[..., 1], cv2.INTER_LINEAR, None, cv2.BORDER_WRAP
    )
    cover = np.clip(pattern + 2.5 * sky.clouds - 1.5, 0.0, 1.0) * np.clip(up[..., 0] * 4.0, 0, 1)
    white = 0.55 + 0.45 * horizon
    image += cover[..., None] * (white - image) * 0.85
    return np.ascontiguousarray((np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
