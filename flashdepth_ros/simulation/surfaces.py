"""Surfaces: tinted textures in real size, and the set of surfaces of a scene."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.simulation.textures import VARIANTS

Colour = tuple[float, float, float]

# Edge of one texture tile in metres, in real size: bricks are 225 x 75 mm, storeys 3.2 m.
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


class TextureImage(Protocol):
    """An image of a texture; equal ones are uploaded once."""

    def pixels(self) -> NDArray[np.uint8]:
        """Return the image, (SIZE, SIZE, 3) uint8."""

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class Surface:
    """
    Texture family ('': plain paint) and variant, tint, tile edge in metres, gloss and glow.

    `glow` (0..1) is emitted light, for lamps and screens. `image` replaces the family.
    """

    family: str = ''
    variant: int = 0
    tint: Colour = WHITE
    tile_m: float = 1.0
    gloss: float = 0.05
    glow: float = 0.0
    image: TextureImage | None = None


_CARTON = Surface('plaster', 0, (0.78, 0.6, 0.42), 1.3, 0.02)


def paint(rng: np.random.Generator, gloss: float = 0.2) -> Surface:
    """Return plain paint; grey, white and black are more frequent than bright colours."""
    return Surface(tint=colour(rng, 0.9 if rng.random() < 0.4 else 0.25), gloss=gloss)


def colour(rng: np.random.Generator, saturation: float = 0.5, low: float = 0.15) -> Colour:
    """Return a random RGB colour (0..1) with at most this saturation and at least value `low`."""
    hue, sat, value = rng.random(), saturation * rng.random() ** 2, rng.uniform(low, 1.0)
    red, green, blue = colorsys.hsv_to_rgb(hue, sat, value)
    return (round(red, 3), round(green, 3), round(blue, 3))


def random_surface(
    rng: np.random.Generator, family: str, saturation: float = 0.25, gloss: float = 0.05
) -> Surface:
    """Return a surface of a family with random variant, tint and slightly random scale."""
    tile = TILE_M[family] * float(rng.uniform(0.85, 1.2))
    if family == 'facade':
        tile = TILE_M[family]
    tint = colour(rng, saturation, 0.55)
    return Surface(family, int(rng.integers(VARIANTS)), tint, round(tile, 3), gloss)


class Palette:
    """
    A small set of surfaces for one scene, because real streets and flats repeat materials.

    It also limits the number of textures to upload.
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
        """Return a random surface of the scene for a use ('wood', 'wall', 'paint', ...)."""
        if use == 'paint':
            return self._paints[int(self._rng.integers(len(self._paints)))]
        if use == 'carton':
            return replace(_CARTON, variant=int(self._rng.integers(2)))
        if use not in self._drawn:
            count, families, saturation, gloss = self._CHOICES[use]
            self._drawn[use] = tuple(
                random_surface(self._rng, str(self._rng.choice(families)), saturation, gloss)
                for _ in range(count)
            )
        choice = self._drawn[use]
        return choice[int(self._rng.integers(len(choice)))]
