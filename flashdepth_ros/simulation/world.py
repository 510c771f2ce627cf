"""Generate an indoor, outdoor or mixed scene from a seed."""

from __future__ import annotations

import math

import numpy as np

from flashdepth_ros.errors import SimulationError
from flashdepth_ros.simulation import outdoors, street
from flashdepth_ros.simulation.floorplan import Room
from flashdepth_ros.simulation.rooms import add_building
from flashdepth_ros.simulation.scene import FreeSpace, Scene, Sky, level_ground
from flashdepth_ros.simulation.surfaces import Palette, colour

KINDS = ('indoor', 'outdoor', 'mixed')


def make_scene(seed: int, kind: str, shadow_share: float) -> Scene:
    """
    Return the scene of a seed.

    :param kind: 'indoor', 'outdoor', 'mixed', or 'any' of them.
    :param shadow_share: probability that the main light casts shadows, which cost render time.
    :raises SimulationError: the kind is unknown.
    """
    rng = np.random.default_rng([0x5CE9E, seed])
    if kind == 'any':
        kind = str(rng.choice(KINDS, p=(0.5, 0.3, 0.2)))
    shadows = bool(rng.random() < shadow_share)
    builders = {'indoor': _indoor, 'outdoor': _outdoor, 'mixed': _mixed}
    if kind not in builders:
        raise SimulationError(
            f"unknown scene kind '{kind}'; expected one of any, {', '.join(KINDS)}"
        )
    return builders[kind](rng, shadows)


def make_sky(rng: np.random.Generator) -> Sky:
    """Return a clear, cloudy, overcast or evening sky."""
    overcast, dusk = rng.random() < 0.35, rng.random() < 0.15
    grey = float(rng.uniform(0.55, 0.95))
    if overcast:
        return Sky((grey * 0.9, grey * 0.93, grey), (grey,) * 3, float(rng.random()), 0)
    zenith = (
        float(rng.uniform(0.15, 0.4)),
        float(rng.uniform(0.4, 0.6)),
        float(rng.uniform(0.75, 1)),
    )
    horizon = (0.95, 0.75, 0.55) if dusk else (0.78, 0.87, 0.95)
    return Sky(zenith, horizon, float(rng.uniform(0.0, 0.9)), int(rng.integers(8)))


def _ambient(rng: np.random.Generator, low: float, high: float) -> tuple[float, float, float]:
    level, tint = float(rng.uniform(low, high)), colour(rng, 0.15, 0.9)
    return (level * tint[0], level * tint[1], level * tint[2])


def _indoor(rng: np.random.Generator, shadows: bool) -> Scene:
    half_x, half_y = (float(v) for v in rng.uniform(2.0, 7.5, 2))
    free = FreeSpace(half_x + 0.3, half_y + 0.3, 0.06)
    scene = Scene(free, make_sky(rng), True, ambient=_ambient(rng, 0.35, 0.65))
    palette = Palette(rng)
    outline = Room(-half_x, -half_y, half_x, half_y)
    add_building(rng, scene, palette, outline, shadows=shadows)
    outdoors.add_level_ground(scene, palette.pick('natural'))
    outdoors.add_walkers(rng, scene, palette, 4.0)
    _add_surroundings(rng, scene, palette, math.hypot(half_x, half_y))
    return scene


def _add_surroundings(
    rng: np.random.Generator, scene: Scene, palette: Palette, inner_m: float
) -> None:
    factories = (street.building, street.tree, street.tree, street.car, street.fence)
    for _ in range(int(rng.integers(4, 18))):
        angle, distance = rng.uniform(0, 2 * math.pi), inner_m + rng.uniform(8.0, 50.0)
        item = factories[int(rng.integers(len(factories)))](rng, palette)
        place = distance * math.cos(angle), distance * math.sin(angle), 0.0
        scene.add(item.parts_at(*place, float(rng.uniform(0, 2 * math.pi))))


def open_scene(rng: np.random.Generator, level: bool, half_m: float) -> Scene:
    """Return an empty scene below a sky, on level or hilly ground, sometimes with haze."""
    scene = Scene(
        FreeSpace(half_m, half_m, 0.12),
        make_sky(rng),
        False,
        ground=level_ground if level else outdoors.hills(rng),
        ambient=_ambient(rng, 0.6, 0.9),
    )
    if rng.random() < 0.35:
        scene.haze_per_m = float(rng.uniform(0.001, 0.015))
    return scene


def _outdoor(rng: np.random.Generator, shadows: bool) -> Scene:
    theme = str(rng.choice(['street', 'park', 'yard']))
    level = theme == 'street' or rng.random() < (0.25 if theme == 'park' else 0.8)
    scene, palette = open_scene(rng, level, 30.0), Palette(rng)
    outdoors.add_sun(rng, scene, shadows=shadows)
    if level and theme != 'street':
        outdoors.add_patches(rng, scene, palette)
    ground = palette.pick('paved' if theme == 'yard' else 'natural')
    if level:
        outdoors.add_level_ground(scene, ground)
    else:
        outdoors.add_terrain(scene, ground)
    if theme == 'street':
        outdoors.add_street(rng, scene, palette)
        if rng.random() < 0.4:
            outdoors.add_moving_car(rng, scene, palette)
        outdoors.add_objects(rng, scene, palette, street.SMALL, int(rng.integers(4, 20)))
    else:
        factories = outdoors.PARK if theme == 'park' else outdoors.YARD
        outdoors.add_objects(rng, scene, palette, factories, int(rng.integers(25, 110)))
    outdoors.add_background(rng, scene, palette)
    outdoors.add_walkers(rng, scene, palette, 10.0)
    return scene


def _mixed(rng: np.random.Generator, shadows: bool) -> Scene:
    scene, palette = open_scene(rng, True, 18.0), Palette(rng)
    half_x, half_y = (float(v) for v in rng.uniform(3.0, 8.0, 2))
    outdoors.add_level_ground(scene, palette.pick(str(rng.choice(['paved', 'natural']))))
    outdoors.add_patches(rng, scene, palette, math.hypot(half_x, half_y))
    add_building(rng, scene, palette, Room(-half_x, -half_y, half_x, half_y), shadows=False)
    outdoors.add_sun(rng, scene, shadows=shadows)
    factories = street.SMALL + outdoors.PARK + outdoors.YARD
    outdoors.add_objects(rng, scene, palette, factories, int(rng.integers(25, 80)))
    outdoors.add_background(rng, scene, palette)
    outdoors.add_walkers(rng, scene, palette, 6.0)
    return scene
