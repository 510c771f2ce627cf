"""Outdoor scenes: streets, parks and yards with houses, trees and vehicles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import math

import numpy as np

from flashdepth_ros.simulation import furniture, street
from flashdepth_ros.simulation.mesh import box, ellipsoid, patch, sheet, terrain
from flashdepth_ros.simulation.people import person, walker
from flashdepth_ros.simulation.scene import HeightFunction, Light, MovingObject, Scene, SceneObject
from flashdepth_ros.simulation.surfaces import Palette, Surface

EXTENT_M = 130.0
Factory = Callable[[np.random.Generator, Palette], SceneObject]


def hills(rng: np.random.Generator) -> HeightFunction:
    """Return hilly ground with slopes up to 15 degrees, as a function of x and y in metres."""
    waves = [
        (rng.uniform(0.05, 0.5) * length / 40, 2 * math.pi / length, *rng.uniform(0, 6.28, 2))
        for length in rng.uniform(12.0, 70.0, 4)
    ]
    ramp = rng.normal(0.0, 0.03, 2)

    def height(x: float, y: float) -> float:
        total = float(ramp[0] * x + ramp[1] * y)
        for size, number, phase, turn in waves:
            total += size * math.sin(number * (x * math.cos(turn) + y * math.sin(turn)) + phase)
        return total

    return height


def add_terrain(scene: Scene, surface: Surface) -> None:
    """Add the hilly ground of the scene, with a fine grid near the centre."""
    near, far = np.arange(0.0, 40.0, 1.25), np.arange(40.0, EXTENT_M + 1, 6.0)
    half = np.concatenate([near, far])
    line = np.concatenate([-half[:0:-1], half])
    z = np.array([[scene.ground(float(x), float(y)) for x in line] for y in line])
    scene.add([(surface, terrain(line, line, z))])


def add_level_ground(scene: Scene, surface: Surface) -> None:
    """Add level ground up to the horizon."""
    size = 2 * EXTENT_M
    scene.add([(surface, sheet((-EXTENT_M, -EXTENT_M, 0), (size, 0, 0), (0, size, 0), 8.0))])


def add_street(rng: np.random.Generator, scene: Scene, palette: Palette) -> None:
    """Add a road along x with kerbs, parked cars, street furniture and rows of houses."""
    half, walk = float(rng.uniform(2.8, 5.0)), float(rng.uniform(1.5, 4.0))
    road, stone = palette.pick('paved'), palette.pick('paved')
    long = 2 * EXTENT_M
    scene.add([(road, sheet((-EXTENT_M, -half, 0.02), (long, 0, 0), (0, 2 * half, 0), 6.0))])
    white = Surface(tint=(0.85, 0.85, 0.82))
    dashes = np.arange(-60.0, 60.0, 6.0)
    scene.add((white, sheet((float(x), -0.06, 0.035), (3, 0, 0), (0, 0.12, 0))) for x in dashes)
    for side in (-1, 1):
        scene.add([(stone, box((long, walk, 0.24), (0, side * (half + walk / 2), 0.0)))])
        _houses(rng, scene, palette, side, half + walk)
        _kerbside(rng, scene, palette, side, half)


def _houses(
    rng: np.random.Generator, scene: Scene, palette: Palette, side: int, line: float
) -> None:
    x, setback = -75.0, float(rng.choice([0.2, 3.0, 6.0]))
    while x < 75.0:
        house = street.building(rng, palette)
        y = side * (line + setback + house.length / 2)
        if rng.random() < 0.85:
            scene.place(house, x + house.width / 2, y, -side * math.pi / 2)
        x += house.width + float(rng.choice([0.0, 0.0, 2.0, 6.0]))


def _kerbside(
    rng: np.random.Generator, scene: Scene, palette: Palette, side: int, half: float
) -> None:
    share, x = float(rng.uniform(0.1, 0.8)), -45.0
    while x < 45.0:
        if rng.random() < share:
            turn = 0.0 if rng.random() < 0.7 else math.pi
            scene.try_place(street.car(rng, palette), x, side * (half - 1.05), turn)
        if rng.random() < 0.5:
            item = (street.pole, street.tree, street.bush)[int(rng.integers(3))](rng, palette)
            scene.try_place(item, x + 2.7, side * (half + 0.6))
        x += float(rng.uniform(5.2, 8.0))


def add_patches(
    rng: np.random.Generator, scene: Scene, palette: Palette, clear_m: float = 0.0
) -> None:
    """Add patches and a path of other ground, none within `clear_m` of the centre."""
    for index in range(int(rng.integers(0, 9))):
        surface = palette.pick('natural' if rng.random() < 0.6 else 'paved')
        x, y = (float(v) for v in rng.uniform(-22, 22, 2))
        radius, height = float(rng.uniform(1.0, 6.0)), 0.008 + 0.002 * index
        if math.hypot(x, y) > clear_m + 1.6 * radius or clear_m == 0:
            scene.add([(surface, patch(rng, radius, height).moved(x, y))])
    if rng.random() < 0.5 and clear_m == 0:
        wide, yaw = float(rng.uniform(1.0, 3.5)), float(rng.uniform(0, math.pi))
        path = sheet((-90, -wide / 2, 0.03), (180, 0, 0), (0, wide, 0), 6.0)
        offset = float(rng.uniform(-8, 8))
        scene.add([(palette.pick('paved'), path.moved(offset, offset, 0.0, yaw))])


def _add_hills(rng: np.random.Generator, scene: Scene, palette: Palette) -> None:
    for angle in rng.uniform(0, 2 * math.pi, int(rng.integers(5, 14))):
        distance, width = float(rng.uniform(95, 120)), float(rng.uniform(20, 45))
        hill = ellipsoid((width, width, float(rng.uniform(5, 22))), sides=16).roughened(
            rng, 2.0, 25
        )
        place = distance * math.cos(angle), distance * math.sin(angle)
        scene.add([(palette.pick('foliage'), hill.moved(*place, scene.ground(*place) - 1.0))])


def add_objects(
    rng: np.random.Generator,
    scene: Scene,
    palette: Palette,
    factories: Sequence[Factory],
    count: int,
) -> None:
    """Add random objects, with a higher density near the centre."""
    for _ in range(count):
        item = factories[int(rng.integers(len(factories)))](rng, palette)
        scene.place_randomly(rng, item, float(rng.choice([0.15, 0.35, 0.8])))


def add_background(rng: np.random.Generator, scene: Scene, palette: Palette) -> None:
    """Add houses and trees 35-110 m away, and sometimes hills."""
    if rng.random() < 0.6:
        _add_hills(rng, scene, palette)
    factories = (street.building, street.tree, street.tree, street.conifer)
    for _ in range(int(rng.integers(10, 45))):
        angle, distance = rng.uniform(0, 2 * math.pi), rng.uniform(35.0, 110.0)
        x, y = distance * math.cos(angle), distance * math.sin(angle)
        item = factories[int(rng.integers(len(factories)))](rng, palette)
        ground = scene.ground(x, y) - (1.0 if item.length > 3 else 0.1)
        scene.add(item.parts_at(x, y, ground, float(rng.uniform(0, 2 * math.pi))))


def add_walkers(rng: np.random.Generator, scene: Scene, palette: Palette, reach_m: float) -> None:
    """Add up to four people who walk back and forth."""
    for _ in range(int(rng.integers(0, 5))):
        start = scene.free.draw_point(rng, 0.5, min(1.0, reach_m / 30.0))
        if start is None:
            continue
        angle, length = rng.uniform(0, 2 * math.pi), rng.uniform(2.0, reach_m)
        end = _walk_end(scene, start, float(angle), float(length))
        if math.dist(start, end) > 0.8:
            scene.moving_objects.append(walker(rng, palette, start, end))


def add_moving_car(rng: np.random.Generator, scene: Scene, palette: Palette) -> None:
    """Add a car that drives along the middle of the road."""
    y, speed = float(rng.uniform(-1.2, 1.2)), float(rng.uniform(2.0, 9.0))
    item = street.car(rng, palette)
    scene.moving_objects.append(
        MovingObject(item, (-50.0, y), (50.0, y), speed, float(rng.uniform(0, 200)))
    )


def _walk_end(
    scene: Scene, start: tuple[float, float], angle: float, length: float
) -> tuple[float, float]:
    end = start
    for distance in np.arange(0.25, length, 0.25):
        step = start[0] + distance * math.cos(angle), start[1] + distance * math.sin(angle)
        if scene.free.clearance(*step) < 0.35:
            break
        end = step
    return end


def add_sun(rng: np.random.Generator, scene: Scene, *, shadows: bool) -> None:
    """Add the sun, with a strength from overcast to clear sky."""
    angle, slope = rng.uniform(0, 2 * math.pi), rng.uniform(0.3, 1.4)
    down = (math.cos(angle) * math.cos(slope), math.sin(angle) * math.cos(slope), -math.sin(slope))
    power = float(rng.uniform(0.15, 0.8))
    tone = (power, power * float(rng.uniform(0.88, 1.0)), power * float(rng.uniform(0.7, 1.0)))
    scene.lights.append(Light((0, 0, 20), down, tone, True, shadows))


PARK: tuple[Factory, ...] = (
    street.tree, street.tree, street.conifer, street.bush, street.bush, street.bench,
    street.fence, street.pole, person,
)  # fmt: skip
YARD: tuple[Factory, ...] = (
    street.car, street.container, street.cone, street.pole, street.fence, street.steps, person,
    furniture.cartons, furniture.cartons, furniture.bin_or_bucket, street.tree,
)  # fmt: skip
