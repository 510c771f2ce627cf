"""What a thing is covered with: a texture of a true size, tinted; and a scene's choice of them."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from flashdepth_ros.simulation.textures import VARIANTS

Colour = tuple[float, float, float]

# Edge of one texture tile in metres: bricks are 225 x 75 mm, storeys 3.2 m, whatever the scene.
TILE_M = {
    'plaster': 2.0,
    'concrete': 2.5,
    'brick': 0.9,
    'tiles': 0.9,
    'checker': 1.2,
    'wood': 1.2,
    'planks': 1.6,
    'stripes': 0.8,
    'wallpaper': 1.2,
    'carpet': 1.0,
    'fabric': 0.35,
    'metal': 1.5,
    'corrugated': 1.2,
    'grass': 1.6,
    'asphalt': 2.2,
    'gravel': 1.2,
    'soil': 2.0,
    'pavement': 1.5,
    'foliage': 1.4,
    'bark': 0.9,
    'facade': 6.4,
    'books': 0.6,
    'poster': 1.0,
}
WHITE: Colour = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Surface:
    """
    A texture family and variant ('' is plain paint), a tint, the tile's edge in metres, gloss.

    `glow` in 0..1 is the light it gives off by itself: lamps, screens.
    """

    family: str = ''
    variant: int = 0
    tint: Colour = WHITE
    tile_m: float = 1.0
    gloss: float = 0.05
    glow: float = 0.0


_CARTON = Surface('plaster', 0, (0.78, 0.6, 0.42), 1.3, 0.02)


def paint(rng: np.random.Generator, gloss: float = 0.2) -> Surface:
    """Return a plain colour: greys, whites and blacks more often than bright ones."""
    return Surface(tint=colour(rng, 0.9 if rng.random() < 0.4 else 0.25), gloss=gloss)


def colour(rng: np.random.Generator, saturation: float = 0.5, low: float = 0.15) -> Colour:
    """Return a random RGB colour in 0..1, not more saturated than asked, not darker than `low`."""
    hue, sat, value = rng.random(), saturation * rng.random() ** 2, rng.uniform(low, 1.0)
    red, green, blue = colorsys.hsv_to_rgb(hue, sat, value)
    return (round(red, 3), round(green, 3), round(blue, 3))


def covered(
    rng: np.random.Generator, family: str, saturation: float = 0.25, gloss: float = 0.05
) -> Surface:
    """Return a surface of one family in a random variant, tint and slightly varied scale."""
    tile = TILE_M[family] * float(rng.uniform(0.85, 1.2))
    if family == 'facade':
        tile = TILE_M[family]
    tint = colour(rng, saturation, 0.55)
    return Surface(family, int(rng.integers(VARIANTS)), tint, round(tile, 3), gloss)


class Palette:
    """
    The few surfaces one scene is made of: a street or a flat repeats its materials.

    Each method draws from a small fixed choice, which also bounds the textures to upload.
    """

    _CHOICES: ClassVar[dict[str, tuple[int, tuple[str, ...], float, float]]] = {
        'wood': (2, ('wood', 'planks'), 0.3, 0.15),
        'fabric': (3, ('fabric', 'fabric', 'stripes', 'carpet'), 0.9, 0.02),
        'metal': (2, ('metal',), 0.4, 0.4),
        'wall': (2, ('plaster', 'plaster', 'wallpaper', 'brick', 'concrete', 'planks'), 0.3, 0.02),
        'outer_wall': (3, ('brick', 'plaster', 'concrete', 'facade', 'corrugated'), 0.35, 0.02),
        'facade': (3, ('facade', 'facade', 'brick'), 0.4, 0.02),
        'floor': (2, ('planks', 'tiles', 'carpet', 'checker', 'concrete', 'wood'), 0.35, 0.1),
        'trim': (1, ('plaster', 'plaster', 'wood'), 0.1, 0.2),
        'ceiling': (1, ('plaster', 'plaster', 'concrete', 'tiles'), 0.05, 0.02),
        'natural': (2, ('grass', 'grass', 'soil', 'gravel'), 0.15, 0.0),
        'paved': (2, ('asphalt', 'pavement', 'concrete', 'gravel', 'asphalt'), 0.1, 0.03),
        'foliage': (3, ('foliage',), 0.4, 0.0),
        'bark': (1, ('bark',), 0.2, 0.0),
        'print': (4, ('poster',), 0.1, 0.05),
        'books': (1, ('books',), 0.05, 0.05),
    }

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._paints = tuple(paint(rng) for _ in range(8))
        self._drawn: dict[str, tuple[Surface, ...]] = {}

    def pick(self, use: str) -> Surface:
        """Return one of the scene's surfaces for a use ('wood', 'wall', 'paint', ...)."""
        if use == 'paint':
            return self._paints[int(self._rng.integers(len(self._paints)))]
        if use == 'carton':
            return replace(_CARTON, variant=int(self._rng.integers(2)))
        if use not in self._drawn:
            count, families, saturation, gloss = self._CHOICES[use]
            self._drawn[use] = tuple(
                covered(self._rng, str(self._rng.choice(families)), saturation, gloss)
                for _ in range(count)
            )
        choice = self._drawn[use]
        return choice[int(self._rng.integers(len(choice)))]
