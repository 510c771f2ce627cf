"""Patterns of random form and colours, for surfaces that look like no known material."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
import math

import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.simulation.patterns import SIZE, Array, cells, coloured, noise, per_cell

Painter = Callable[[np.random.Generator], Array]


@dataclass(frozen=True)
class RandomPattern:
    """The pattern of a seed."""

    seed: int

    def pixels(self) -> NDArray[np.uint8]:
        """Return the image, (SIZE, SIZE, 3) uint8, tileable but for the gradients."""
        return _paint(self.seed)


@lru_cache(maxsize=500)
def _paint(seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng([0x9A77E2, seed])
    painter = PAINTERS[int(rng.integers(len(PAINTERS)))]
    grain = float(rng.choice([0.0, 0.03, 0.1])) * noise(rng, float(rng.uniform(0.0, 1.5)))
    mix = painter(rng) + grain
    dark, light = rng.uniform(0.0, 1.0, (2, 3))
    image = coloured(mix, tuple(dark), tuple(light))
    if rng.random() < 0.3:
        cover = coloured(_spots(rng), (0.0,) * 3, (1.0,) * 3)
        image += cover * (rng.uniform(0.0, 1.0, 3) - image)
    return np.ascontiguousarray((np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))


def _phase(rng: np.random.Generator, most: int) -> Array:
    """Return a plane wave's phase (SIZE, SIZE), rad, with whole numbers of periods per image."""
    across, up = (int(v) for v in rng.integers(0, most + 1, 2))
    y, x = np.mgrid[0:SIZE, 0:SIZE] * 2.0 * math.pi / SIZE
    return np.asarray(max(across, 1) * x + up * y, dtype=np.float32)


def _stripes(rng: np.random.Generator) -> Array:
    wave = np.sin(_phase(rng, 14)) - rng.uniform(-0.7, 0.7)
    return np.clip(wave * rng.choice([1.0, 20.0]) + 0.5, 0.0, 1.0).astype(np.float32)


def _checks(rng: np.random.Generator) -> Array:
    columns, rows = (2 * int(v) for v in rng.integers(1, 8, 2))
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    return ((x * columns // SIZE + y * rows // SIZE) % 2).astype(np.float32)


def _tartan(rng: np.random.Generator) -> Array:
    line, column = _stripes(rng)[:1], _stripes(rng)[:, :1]
    return 0.5 * (line + column)


def _blocks(rng: np.random.Generator) -> Array:
    columns, rows = (int(v) for v in rng.integers(1, 14, 2))
    index, joint = cells(columns, rows, float(rng.uniform(0.0, 5.0)), float(rng.choice([0, 0.5])))
    body = 0.5 + per_cell(rng, index, float(rng.uniform(0.05, 0.4)))
    return np.where(joint > 0, np.float32(rng.random()), body).astype(np.float32)


def _clouds(rng: np.random.Generator) -> Array:
    return 0.5 + float(rng.uniform(0.1, 0.4)) * noise(
        rng, float(rng.uniform(0.2, 2.2)), float(rng.choice([0.1, 1.0, 1.0, 12.0]))
    )


def _spots(rng: np.random.Generator) -> Array:
    field = noise(rng, float(rng.uniform(1.2, 2.5)), low=float(rng.uniform(1.0, 8.0)))
    return (field > rng.uniform(-0.3, 1.5)).astype(np.float32)


def _dots(rng: np.random.Generator) -> Array:
    count = int(rng.integers(2, 14))
    y, x = np.mgrid[0:SIZE, 0:SIZE] * 2.0 * math.pi * count / SIZE
    return (np.cos(x) + np.cos(y) > rng.uniform(-0.5, 1.6)).astype(np.float32)


def _gradient(rng: np.random.Generator) -> Array:
    turn = rng.uniform(0.0, 2.0 * math.pi)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE - 0.5
    return np.asarray(0.5 + x * math.cos(turn) + y * math.sin(turn), dtype=np.float32)


PAINTERS: tuple[Painter, ...] = (
    _stripes, _checks, _tartan, _blocks, _blocks, _clouds, _clouds, _spots, _dots, _gradient,
)  # fmt: skip
