"""Procedural textures: seamless (H, W, 3) uint8 images of materials."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
import math
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.simulation.patterns import (
    SIZE,
    Array,
    cells,
    coloured,
    grey,
    noise,
    per_cell,
)

Painter = Callable[[np.random.Generator], Array]

VARIANTS = 6


@lru_cache(maxsize=256)
def texture(family: str, variant: int) -> NDArray[np.uint8]:
    """Return a variant of a family in FAMILIES, (SIZE, SIZE, 3) uint8, tileable."""
    rng = np.random.default_rng([zlib.crc32(family.encode()), variant])
    image = np.clip(FAMILIES[family](rng), 0.0, 1.0)
    return np.ascontiguousarray((image * 255.0 + 0.5).astype(np.uint8))


def _plaster(rng: np.random.Generator) -> Array:
    strength = rng.uniform(0.02, 0.06)
    coarse = noise(rng, rng.uniform(1.2, 2.0)) * strength + noise(rng, 0.2) * 0.02
    return grey(0.88 + coarse)


def _concrete(rng: np.random.Generator) -> Array:
    stains = noise(rng, 1.6) * 0.07 + noise(rng, 0.5) * 0.04
    _, joint = cells(1, 1, 2.5)
    return grey(0.72 + stains - 0.25 * joint * float(rng.random() < 0.5))


def _brick(rng: np.random.Generator) -> Array:
    index, joint = cells(4, 12, 2.6, 0.5)
    body = 0.62 + per_cell(rng, index, 0.1) + noise(rng, 0.7) * 0.06
    light = (1.0, 0.62, 0.48) if rng.random() < 0.6 else (0.95, 0.85, 0.72)
    bricks = coloured(body, (0.15, 0.06, 0.04), light)
    mortar = grey(0.68 + noise(rng, 0.5) * 0.06)
    return np.where(joint[..., None] > 0, mortar, bricks)


def _tiles(rng: np.random.Generator) -> Array:
    count = int(rng.integers(2, 5))
    index, joint = cells(count, count, rng.uniform(2.0, 4.0))
    body = 0.85 + per_cell(rng, index, rng.uniform(0.0, 0.06)) + noise(rng, 1.5) * 0.03
    return grey(np.where(joint > 0, rng.uniform(0.35, 0.65), body))


def _checker(rng: np.random.Generator) -> Array:
    count = 2 * int(rng.integers(1, 3))
    y, x = np.mgrid[0:SIZE, 0:SIZE] * count // SIZE
    odd = ((x + y) % 2).astype(np.float32)
    low, high = rng.uniform(0.15, 0.45), rng.uniform(0.75, 0.95)
    return grey(low + (high - low) * odd + noise(rng, 1.2) * 0.03)


def _wood(rng: np.random.Generator) -> Array:
    grain = noise(rng, 1.3, 14.0) * 0.13 + noise(rng, 0.7, 24.0) * 0.06
    return coloured(0.62 + grain, (0.22, 0.11, 0.05), (0.98, 0.78, 0.55))


def _planks(rng: np.random.Generator) -> Array:
    rows = int(rng.integers(4, 9))
    index, joint = cells(2, rows, 1.6, 0.37 if rng.random() < 0.7 else 0.5)
    shade = 0.62 + per_cell(rng, index, 0.1) + noise(rng, 1.0, 16.0) * 0.09
    return coloured(shade - 0.3 * joint, (0.2, 0.1, 0.05), (0.98, 0.8, 0.58))


def _stripes(rng: np.random.Generator) -> Array:
    count = int(rng.integers(3, 17))
    wave = np.sin(np.arange(SIZE) * 2.0 * math.pi * count / SIZE)
    bars = np.broadcast_to(wave > rng.uniform(-0.6, 0.6), (SIZE, SIZE)).astype(np.float32)
    tones = rng.uniform(0.3, 1.0, (2, 3))
    return coloured(bars + noise(rng, 0.4) * 0.04, tuple(tones[0]), tuple(tones[1]))


def _wallpaper(rng: np.random.Generator) -> Array:
    count = int(rng.integers(3, 8))
    y, x = np.mgrid[0:SIZE, 0:SIZE] * 2.0 * math.pi * count / SIZE
    motif = np.cos(x) * np.cos(y) + 0.5 * np.cos(2 * x + rng.uniform(0, 6)) * np.cos(y)
    base = rng.uniform(0.65, 0.95, 3)
    ink = np.clip(base + rng.uniform(-0.3, 0.15, 3), 0, 1)
    return coloured((motif > rng.uniform(0.2, 0.8)).astype(np.float32), tuple(base), tuple(ink))


def _carpet(rng: np.random.Generator) -> Array:
    pattern = noise(rng, 1.5) > 0.5 if rng.random() < 0.4 else np.zeros((SIZE, SIZE), bool)
    return grey(0.65 + noise(rng, 0.05) * 0.11 + 0.12 * pattern.astype(np.float32))


def _fabric(rng: np.random.Generator) -> Array:
    y, x = np.mgrid[0:SIZE, 0:SIZE] * 2.0 * math.pi * 48 / SIZE
    weave = np.sin(x) * np.sin(y) * 0.08
    return grey((0.75 + weave + noise(rng, 1.0) * 0.06).astype(np.float32))


def _metal(rng: np.random.Generator) -> Array:
    rust = np.clip(noise(rng, 1.5) - 1.2, 0.0, 1.0) * float(rng.random() < 0.4)
    sheen = 0.8 + noise(rng, 0.8, rng.choice([1.0, 20.0])) * 0.05
    return grey(sheen) - rust[..., None] * np.array([0.25, 0.45, 0.55], np.float32)


def _corrugated(rng: np.random.Generator) -> Array:
    wave = np.sin(np.arange(SIZE) * 2.0 * math.pi * 10 / SIZE) * 0.17
    return grey((0.72 + wave[None, :] + noise(rng, 1.6) * 0.05).astype(np.float32))


def _grass(rng: np.random.Generator) -> Array:
    blades = noise(rng, 0.35) * 0.17 + noise(rng, 1.6) * 0.13
    dry = rng.uniform(0.0, 0.35)
    return coloured(0.5 + blades, (0.14, 0.22, 0.07), (0.6 + dry, 0.8, 0.38))


def _asphalt(rng: np.random.Generator) -> Array:
    grain = noise(rng, 0.1) * 0.07 + noise(rng, 1.8) * 0.05
    cracks = (np.abs(noise(rng, 1.4)) < 0.02).astype(np.float32) * 0.15
    return grey(rng.uniform(0.32, 0.5) + grain - cracks)


def _gravel(rng: np.random.Generator) -> Array:
    stones = noise(rng, 0.5, low=12.0)
    return coloured(0.55 + stones * 0.2, (0.2, 0.18, 0.16), (0.9, 0.85, 0.78))


def _soil(rng: np.random.Generator) -> Array:
    earth = noise(rng, 1.1) * 0.14 + noise(rng, 0.3) * 0.08
    return coloured(0.5 + earth, (0.18, 0.11, 0.06), (0.75, 0.58, 0.4))


def _pavement(rng: np.random.Generator) -> Array:
    count = int(rng.integers(3, 7))
    index, joint = cells(count, count, 2.2, rng.choice([0.0, 0.5]))
    body = 0.66 + per_cell(rng, index, 0.06) + noise(rng, 0.6) * 0.06
    return grey(body - 0.25 * joint)


def _foliage(rng: np.random.Generator) -> Array:
    leaves = noise(rng, 0.7, low=6.0)
    return coloured(0.45 + leaves * 0.25, (0.07, 0.15, 0.05), (0.6, 0.85, 0.4))


def _bark(rng: np.random.Generator) -> Array:
    ridges = noise(rng, 0.9, 0.12)
    return coloured(0.45 + ridges * 0.2, (0.12, 0.08, 0.05), (0.65, 0.55, 0.45))


def _facade(rng: np.random.Generator) -> Array:
    """Return two storeys with two windows each; a tile is 6.4 m, so a storey is 3.2 m."""
    image = grey(0.78 + noise(rng, 1.4) * 0.04)
    width, height = int(rng.integers(36, 84)), int(rng.integers(52, 84))
    for top in (0, 128):
        for left in (0, 128):
            y, x = top + (128 - height) // 2, left + (128 - width) // 2
            glass = rng.uniform(0.08, 0.35) * np.array([0.8, 0.95, 1.1])
            cv2.rectangle(image, (x - 4, y - 4), (x + width + 4, y + height + 4), (0.95,) * 3, -1)
            cv2.rectangle(image, (x, y), (x + width, y + height), glass.tolist(), -1)
            cv2.line(image, (x + width // 2, y), (x + width // 2, y + height), (0.9,) * 3, 3)
    return image


def _books(rng: np.random.Generator) -> Array:
    image = np.zeros((SIZE, SIZE, 3), np.float32)
    for top in (0, SIZE // 2):
        x = 0
        while x < SIZE:
            width = int(rng.integers(6, 18))
            tall = int(rng.integers(80, 122))
            colour = rng.uniform(0.1, 0.9, 3)
            left, bottom = min(x, SIZE), top + SIZE // 2
            image[bottom - tall : bottom, left : x + width - 1] = colour
            image[bottom - tall + 14 : bottom - tall + 22, left : x + width - 1] = 0.85
            x += width
    return image


def _poster(rng: np.random.Generator) -> Array:
    """Return a random poster: background, shapes, lines of text and a border."""
    background = noise(rng, 2.0)
    tones = rng.uniform(0.1, 1.0, (2, 3))
    image = coloured(0.5 + 0.3 * background, tuple(tones[0]), tuple(tones[1]))
    for _ in range(int(rng.integers(3, 12))):
        centre = tuple(int(v) for v in rng.integers(20, SIZE - 20, 2))
        axes = tuple(int(v) for v in rng.integers(6, 80, 2))
        colour = rng.uniform(0.0, 1.0, 3).tolist()
        cv2.ellipse(image, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1)
    for line in range(int(rng.integers(0, 7))):
        y, length = 150 + 14 * line, int(rng.integers(60, 200))
        cv2.line(image, (24, y), (24 + length, y), (0.05,) * 3, 4)
    cv2.rectangle(image, (0, 0), (SIZE - 1, SIZE - 1), rng.uniform(0.0, 1.0, 3).tolist(), 14)
    return image


FAMILIES: dict[str, Painter] = {
    'plaster': _plaster,
    'concrete': _concrete,
    'brick': _brick,
    'tiles': _tiles,
    'checker': _checker,
    'wood': _wood,
    'planks': _planks,
    'stripes': _stripes,
    'wallpaper': _wallpaper,
    'carpet': _carpet,
    'fabric': _fabric,
    'metal': _metal,
    'corrugated': _corrugated,
    'grass': _grass,
    'asphalt': _asphalt,
    'gravel': _gravel,
    'soil': _soil,
    'pavement': _pavement,
    'foliage': _foliage,
    'bark': _bark,
    'facade': _facade,
    'books': _books,
    'poster': _poster,
}
