"""Outdoor places with long range: paths between trees, fields with far hills, rows of facades."""

from __future__ import annotations

import math

import numpy as np

from flashdepth_ros.simulation import outdoors, street
from flashdepth_ros.simulation.mesh import ellipsoid, sheet
from flashdepth_ros.simulation.scene import Scene, Sight
from flashdepth_ros.simulation.surfaces import Palette
from flashdepth_ros.simulation.world import open_scene

HILLS_M = (90.0, 200.0)
_TREES = (street.tree, street.tree, street.conifer, street.bush)


def make_landscape(rng: np.random.Generator, shadows: bool) -> Scene:
    """Return a path between trees, a field, or a lane between houses."""
    theme = str(rng.choice(['path', 'field', 'facades']))
    level = theme == 'facades' or rng.random() < 0.5
    scene, palette = open_scene(rng, level, 30.0), Palette(rng)
    outdoors.add_sun(rng, scene, shadows=shadows)
    ground = palette.pick('paved' if theme == 'facades' else 'natural')
    if level:
        outdoors.add_level_ground(scene, ground)
    else:
        outdoors.add_terrain(scene, ground)
    if theme == 'path':
        _add_rows(rng, scene, palette)
    elif theme == 'facades':
        _add_facades(rng, scene, palette)
    if theme != 'facades':
        _add_far_hills(rng, scene, palette)
    few = int(rng.integers(0, 8)) if theme == 'field' else int(rng.integers(4, 20))
    outdoors.add_objects(rng, scene, palette, (*street.SMALL, *_TREES), few)
    outdoors.add_walkers(rng, scene, palette, 12.0)
    return scene


def _add_rows(rng: np.random.Generator, scene: Scene, palette: Palette) -> None:
    """Add trees on both sides of a path along x."""
    half, gap = float(rng.uniform(0.6, 2.5)), float(rng.uniform(2.5, 9.0))
    if scene.ground(7.0, 3.0) == scene.ground(-9.0, 1.0):
        path = sheet((-110, -half, 0.03), (220, 0, 0), (0, 2 * half, 0), 6.0)
        scene.add([(palette.pick('paved'), path)])
    for side in (-1, 1):
        for x in np.arange(-28.0, 28.0, gap):
            item = _TREES[int(rng.integers(len(_TREES)))](rng, palette)
            y = side * (half + 0.8 + abs(float(rng.normal(0.0, 0.6))))
            scene.place(item, float(x + rng.normal(0.0, 0.4)), y, float(rng.uniform(0, 6.28)))


def _add_facades(rng: np.random.Generator, scene: Scene, palette: Palette) -> None:
    """Add a lane 3 to 9 m wide along x; its facades are sights."""
    half = float(rng.uniform(1.5, 4.5))
    for side in (-1, 1):
        x = -60.0
        while x < 60.0:
            house = street.building(rng, palette)
            y = side * (half + house.length / 2)
            scene.place(house, x + house.width / 2, y, -side * math.pi / 2)
            if abs(x + house.width / 2) < 12.0:
                at = (x + house.width / 2, side * half, 1.6)
                scene.sights.append(Sight(at, 1.0, 0.8, 1.9 * half))
            x += house.width + float(rng.choice([0.0, 0.0, 1.5]))


def _add_far_hills(rng: np.random.Generator, scene: Scene, palette: Palette) -> None:
    """Add overlapping hills and woods up to the end of the range."""
    for angle in rng.uniform(0, 2 * math.pi, int(rng.integers(8, 22))):
        distance, width = float(rng.uniform(*HILLS_M)), float(rng.uniform(25, 70))
        size = (width, width, float(rng.uniform(4, 30)))
        hill = ellipsoid(size, sides=18).roughened(rng, 3.0, 30)
        x, y = distance * math.cos(angle), distance * math.sin(angle)
        surface = palette.pick(str(rng.choice(['foliage', 'natural'])))
        scene.add([(surface, hill.moved(x, y, scene.ground(x, y) - 2.0))])
