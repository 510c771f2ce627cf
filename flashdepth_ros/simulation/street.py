"""Outdoor objects in real sizes: cars, trees, poles, cones, fences, stairs, buildings."""

from __future__ import annotations

from collections.abc import Callable
import math

import numpy as np

from flashdepth_ros.simulation.mesh import Mesh, box, cylinder, ellipsoid, join, rod
from flashdepth_ros.simulation.scene import Part, SceneObject
from flashdepth_ros.simulation.surfaces import Palette, Surface, colour

Factory = Callable[[np.random.Generator, Palette], SceneObject]

_RUBBER = Surface(tint=(0.08, 0.08, 0.09))
_GLASS = Surface(tint=(0.16, 0.2, 0.24), gloss=0.8)
_ORANGE = Surface(tint=(1.0, 0.38, 0.08), gloss=0.2)
_PALE = Surface(tint=(0.93, 0.93, 0.93), gloss=0.2)
_RED_LAMP = Surface(tint=(0.8, 0.1, 0.1), glow=0.2)


def car(rng: np.random.Generator, _palette: Palette) -> SceneObject:
    """Return a car 3.6-4.9 m long, 1.75-1.9 m wide, 1.4-1.8 m high, or a van of 2.0-2.5 m."""
    van = rng.random() < 0.2
    length, width = rng.uniform(4.6, 5.6) if van else rng.uniform(3.6, 4.9), rng.uniform(1.72, 1.9)
    height = rng.uniform(2.0, 2.5) if van else rng.uniform(1.4, 1.75)
    body = Surface(tint=colour(rng, 0.85 if rng.random() < 0.5 else 0.1), gloss=0.6)
    waist = 0.95
    cabin = (0.94 if van else rng.uniform(0.5, 0.62)) * length
    shift = (cabin - length) / 2 * (0.7 if van else rng.uniform(0.0, 0.7))
    roof = height - waist
    lower = box((length, width, waist - 0.45), (0, 0, (waist + 0.45) / 2))
    parts: list[Part] = [
        (body, lower),
        (body, box((length * 0.94, width * 0.98, 0.3), (0, 0, 0.36))),
        (_GLASS, _taper(cabin, width * 0.94, roof - 0.06, waist, 0.8).moved(shift, 0)),
        (body, box((cabin * 0.8, width * 0.8, 0.07), (shift, 0, height - 0.035))),
    ]
    for x in (-0.31 * length, 0.31 * length):
        for side in (-1, 1):
            wheel = (x, side * (width / 2 - 0.2), 0.32)
            parts.append((_RUBBER, rod(wheel, (x, side * (width / 2 + 0.01), 0.32), 0.32, 14)))
            hub = (x, side * (width / 2 + 0.02), 0.32)
            parts.append((_PALE, rod((x, side * width / 2, 0.32), hub, 0.18, 10)))
    for side in (-1, 1):
        y = side * width * 0.38
        parts.append((_PALE, box((0.04, 0.3, 0.13), (length / 2, y, 0.72))))
        parts.append((_RED_LAMP, box((0.04, 0.25, 0.15), (-length / 2, y, 0.78))))
    plate = [box((0.02, 0.52, 0.11), (side * (length / 2 + 0.01), 0, 0.5)) for side in (-1, 1)]
    parts += [(_PALE, mesh) for mesh in plate]
    return SceneObject(tuple(parts), length, width)


def _taper(length: float, width: float, height: float, z: float, top: float) -> Mesh:
    mesh = box((length, width, height), (0, 0, z + height / 2))
    upper = mesh.vertices[:, 2] > z + height / 2
    mesh.vertices[upper, :2] *= top
    return mesh


def tree(rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return a broad-leaved tree 3-12 m high."""
    height = rng.uniform(3.0, 12.0)
    trunk, radius = height * rng.uniform(0.25, 0.45), 0.02 * height + 0.05
    bark, leaves = palette.pick('bark'), palette.pick('foliage')
    parts: list[Part] = [(bark, cylinder(radius, trunk * 1.3, 9, top=radius * 0.6))]
    crown = height - trunk
    heart = ellipsoid((0.2 * crown, 0.2 * crown, 0.25 * crown), (0, 0, trunk * 1.2), 10)
    parts.append((leaves, heart.roughened(rng, 0.05 * crown, 0.2 * crown)))
    for _ in range(int(rng.integers(7, 16))):
        angle, out = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.33) * crown
        z = trunk + crown * rng.uniform(0.12, 0.85)
        at = (out * math.cos(angle), out * math.sin(angle), z)
        size = crown * rng.uniform(0.13, 0.26, 3)
        blob = ellipsoid((size[0], size[1], size[2]), at, 10)
        blob = blob.roughened(rng, 0.25 * float(size.min()), 0.9 * float(size.mean()))
        parts.append((leaves, blob.uv_shifted(*rng.random(2))))
    return SceneObject(tuple(parts), 2 * radius + 0.3, 2 * radius + 0.3)


def conifer(rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return a fir 2.5-10 m high."""
    height, leaves = rng.uniform(2.5, 10.0), palette.pick('foliage')
    width = height * rng.uniform(0.16, 0.25)
    parts: list[Part] = [(palette.pick('bark'), cylinder(0.02 * height, 0.3 * height, 8))]
    for i in range(4):
        low = height * (0.12 + 0.2 * i)
        cone = cylinder(width * (1 - 0.22 * i), height * 0.34, 10, top=0.02)
        parts.append((leaves, cone.moved(0, 0, low)))
    return SceneObject(tuple(parts), width, width)


def bush(rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return a bush or a clipped hedge, 0.5-1.6 m high."""
    leaves, height = palette.pick('foliage'), rng.uniform(0.5, 1.6)
    if rng.random() < 0.35:
        length = rng.uniform(2.0, 8.0)
        hedge = box((length, 0.6, height), (0, 0, height / 2))
        return SceneObject(((leaves, hedge),), length, 0.6)
    parts: list[Part] = []
    for _ in range(int(rng.integers(3, 7))):
        x, y = rng.uniform(-0.4, 0.4, 2) * height
        size = height * rng.uniform(0.3, 0.5, 3)
        blob = ellipsoid((size[0], size[1], size[2]), (x, y, size[2] * 0.9), 10)
        parts.append((leaves, blob.roughened(rng, 0.3 * float(size.min()), 0.4)))
    return SceneObject(tuple(parts), 1.5 * height, 1.5 * height)


def pole(rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return a bollard 0.9 m, a sign post 2.5 m, or a street light 5-8 m high."""
    kind, metal = int(rng.integers(3)), palette.pick('metal')
    if kind == 0:
        return SceneObject(((palette.pick('paint'), cylinder(0.08, 0.9, 12)),), 0.16, 0.16)
    if kind == 1:
        sign = palette.pick('print')
        plate = box((0.02, 0.6, 0.6), (0.05, 0, 2.3)).uv_shifted(0.5, 0.5)
        return SceneObject(((metal, cylinder(0.03, 2.6, 8)), (sign, plate)), 0.1, 0.1)
    height = rng.uniform(5.0, 8.0)
    arm = rod((0, 0, height - 0.1), (1.2, 0, height + 0.1), 0.04, 6)
    head = box((0.6, 0.2, 0.1), (1.4, 0, height + 0.1))
    return SceneObject(
        ((metal, join([cylinder(0.09, height, 10, top=0.05), arm, head])),), 0.2, 0.2
    )


def cone(rng: np.random.Generator, _palette: Palette) -> SceneObject:
    """Return a traffic cone 0.5 or 0.75 m high."""
    height = float(rng.choice([0.5, 0.75]))
    radius = height * 0.2
    parts: tuple[Part, ...] = (
        (_RUBBER, box((3 * radius, 3 * radius, 0.03), (0, 0, 0.015))),
        (_ORANGE, cylinder(radius, height, 14, top=0.025)),
        (
            _PALE,
            cylinder(radius * 0.72, height * 0.22, 14, top=radius * 0.5).moved(0, 0, height * 0.4),
        ),
    )
    return SceneObject(parts, 3 * radius, 3 * radius)


def fence(rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return a railing, a picket fence or a low wall, 3-12 m long, 0.8-1.3 m high."""
    length, height, kind = rng.uniform(3.0, 12.0), rng.uniform(0.8, 1.3), int(rng.integers(3))
    if kind == 0:
        wall = palette.pick('outer_wall')
        return SceneObject(((wall, box((length, 0.2, height), (0, 0, height / 2))),), length, 0.2)
    half = length / 2
    if kind == 1:
        metal = palette.pick('paint')
        bars = [rod((-half, 0, z), (half, 0, z), 0.02, 6) for z in (0.15, height)]
        posts = np.arange(-half, half + 0.01, float(rng.choice([0.12, 0.5, 1.5])))
        bars += [rod((float(x), 0, 0), (float(x), 0, height), 0.012, 6) for x in posts]
        return SceneObject(((metal, join(bars)),), length, 0.1)
    wood = palette.pick('wood')
    slats = [
        box((0.09, 0.02, height), (float(x), 0, height / 2)) for x in np.arange(-half, half, 0.15)
    ]
    slats += [box((length, 0.04, 0.08), (0, -0.03, z)) for z in (0.25, height - 0.2)]
    return SceneObject(((wood, join(slats)),), length, 0.12)


def bench(_rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return a park bench 1.6 m long."""
    wood, iron = palette.pick('wood'), palette.pick('paint')
    boards = [box((0.1, 1.6, 0.03), (x, 0, 0.44)) for x in (-0.14, -0.02, 0.1)]
    boards += [box((0.03, 1.6, 0.1), (-0.24, 0, z)) for z in (0.6, 0.75)]
    feet = [box((0.42, 0.06, 0.43), (-0.02, y, 0.215)) for y in (-0.65, 0.65)]
    backs = [box((0.04, 0.06, 0.5), (-0.26, y, 0.55)) for y in (-0.65, 0.65)]
    return SceneObject(((wood, join(boards)), (iron, join(feet + backs))), 0.55, 1.6)


def steps(rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return stairs that go up along -x: risers 0.17 m, treads 0.29 m."""
    count, width = int(rng.integers(3, 12)), rng.uniform(1.2, 3.0)
    stone, length = palette.pick('paved'), 0.29 * count
    blocks = []
    for i in range(count):
        depth, z = length - 0.29 * i, 0.17 * i
        blocks.append(box((depth, width, 0.17), ((depth - length) / 2, 0, z + 0.085)))
    return SceneObject(((stone, join(blocks)),), length, width)


def building(rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return a house of one to six storeys of 3.2 m."""
    storeys = int(rng.choice([1, 2, 2, 3, 4, 6]))
    length, width, height = 3.2 * rng.integers(2, 6), 3.2 * rng.integers(2, 9), 3.2 * storeys
    wall, roof = palette.pick('facade'), palette.pick('paint')
    # Shift the texture so that its storeys start at the ground.
    body = box((length, width, height), (0, 0, height / 2)).uv_shifted(0.0, height / 2)
    parts: list[Part] = [(wall, body)]
    door = box((0.12, 1.0, 2.05), (length / 2 + 0.01, 0.8, 1.03))
    parts.append((palette.pick('wood'), door))
    if storeys < 3 and rng.random() < 0.7:
        gable = _taper(length + 0.6, width + 0.6, 0.35 * length, height, 1.0)
        upper = gable.vertices[:, 2] > height + 0.1
        gable.vertices[upper, 0] *= 0.02
        parts.append((Surface('corrugated', 0, colour(rng, 0.6, 0.3), 1.0), gable))
    else:
        parts.append((roof, box((length + 0.3, width + 0.3, 0.3), (0, 0, height + 0.15))))
    return SceneObject(tuple(parts), length, width)


def container(rng: np.random.Generator, _palette: Palette) -> SceneObject:
    """Return a freight container: 6.06 x 2.44 x 2.59 m."""
    steel = Surface('corrugated', int(rng.integers(6)), colour(rng, 0.8, 0.3), 2.4)
    return SceneObject(((steel, box((6.06, 2.44, 2.59), (0, 0, 1.3))),), 6.06, 2.44)


SMALL: tuple[Factory, ...] = (cone, pole, pole, bush, bench, fence, fence)
LARGE: tuple[Factory, ...] = (car, car, car, tree, tree, conifer, container, steps)
