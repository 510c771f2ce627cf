"""Random materials for a scene: paint, known materials, patterns and photographs."""

from __future__ import annotations

from dataclasses import replace
import math

import numpy as np

from flashdepth_ros.simulation.photographs import Photographs
from flashdepth_ros.simulation.random_patterns import RandomPattern
from flashdepth_ros.simulation.scene import MovingObject, Part, Scene
from flashdepth_ros.simulation.surfaces import Surface, TextureImage, colour, random_surface
from flashdepth_ros.simulation.textures import FAMILIES

COUNT = 18
_SHARES = (0.2, 0.25, 0.2, 0.35)
_PATTERNS = 500
# The size of what these textures show is given by their object: keep the edge of the tile.
_SIZED = ('poster', 'books', 'facade')


class Materials:
    """
    A set of surfaces drawn for one scene; their number limits the textures to upload.

    Without photographs, patterns are drawn instead.
    """

    def __init__(self, rng: np.random.Generator, photographs: Photographs) -> None:
        self._rng, self._photographs = rng, photographs
        self._surfaces = tuple(self._draw() for _ in range(COUNT))

    def pick(self) -> Surface:
        """Return a random surface of the set."""
        return self._surfaces[int(self._rng.integers(COUNT))]

    def cloth(self) -> Surface:
        """Return a new surface for clothes: plain, woven, or with a small pattern or print."""
        if self._rng.random() < 0.5:
            return random_surface(self._rng, 'fabric', 0.9)
        tile = round(float(self._rng.uniform(0.1, 0.6)), 3)
        return Surface(image=self._image(), tile_m=tile, gloss=0.02)

    def picture(self, edge_m: float) -> Surface:
        """Return a new surface that shows a picture of this edge once."""
        return Surface(image=self._image(), tile_m=edge_m, gloss=0.1)

    def _draw(self) -> Surface:
        rng = self._rng
        kind = int(rng.choice(4, p=_SHARES))
        gloss = round(0.6 * float(rng.random()) ** 2, 3)
        if kind == 0:
            return Surface(tint=colour(rng, float(rng.choice([0.2, 1.0])), 0.05), gloss=gloss)
        if kind == 1:
            family = str(rng.choice(list(FAMILIES)))
            return random_surface(rng, family, float(rng.choice([0.3, 1.0])), gloss)
        image = self._image() if kind == 3 else RandomPattern(int(rng.integers(_PATTERNS)))
        tile = math.exp(rng.uniform(math.log(0.15), math.log(3.0)))
        plain = rng.random() < 0.6
        tint = (1.0, 1.0, 1.0) if plain else colour(rng, 0.5, 0.4)
        return Surface(tint=tint, tile_m=round(tile, 3), gloss=gloss, image=image)

    def _image(self) -> TextureImage:
        if self._photographs.paths:
            return self._photographs.draw(self._rng)
        return RandomPattern(int(self._rng.integers(_PATTERNS)))


def repainted(
    rng: np.random.Generator, scene: Scene, materials: Materials, share: float, *, motley: bool
) -> Scene:
    """
    Return the scene with this share of its surfaces replaced by random materials.

    :param motley: each part gets a material of its own, not each surface.
    """
    brush = _Brush(rng, materials, share, motley)
    movers = [brush.mover(mover) for mover in scene.moving_objects]
    return replace(scene, parts=list(brush.parts(scene.parts)), moving_objects=movers)


class _Brush:
    def __init__(
        self, rng: np.random.Generator, materials: Materials, share: float, motley: bool
    ) -> None:
        self._rng, self._materials, self._share, self._motley = rng, materials, share, motley
        self._chosen: dict[Surface, Surface] = {}

    def parts(self, parts: list[Part] | tuple[Part, ...]) -> tuple[Part, ...]:
        return tuple((self._surface(surface), mesh) for surface, mesh in parts)

    def mover(self, mover: MovingObject) -> MovingObject:
        body = replace(mover.body, parts=self.parts(mover.body.parts))
        limbs = tuple(replace(limb, parts=self.parts(limb.parts)) for limb in mover.limbs)
        return replace(mover, body=body, limbs=limbs)

    def _surface(self, surface: Surface) -> Surface:
        if self._motley:
            return self._drawn(surface)
        if surface not in self._chosen:
            self._chosen[surface] = self._drawn(surface)
        return self._chosen[surface]

    def _drawn(self, surface: Surface) -> Surface:
        if surface.glow > 0.5 or self._rng.random() >= self._share:
            return surface
        if surface.family in _SIZED:
            return self._materials.picture(surface.tile_m)
        return self._materials.pick()
