"""Small things in real sizes, and primitives of any size, for tables, shelves and heaps."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
import math

import numpy as np

from flashdepth_ros.simulation.materials import Materials
from flashdepth_ros.simulation.mesh import (
    Mesh,
    box,
    cylinder,
    ellipsoid,
    join,
    revolve,
    rod,
    sheet,
)
from flashdepth_ros.simulation.scene import Part, SceneObject
from flashdepth_ros.simulation.triangles import faceted

Factory = Callable[[np.random.Generator, Materials], SceneObject]


def standing(parts: list[Part]) -> SceneObject:
    """Return parts as an object: moved onto z = 0 and centred, with their footprint."""
    points = np.concatenate([mesh.vertices for _, mesh in parts])
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = (float(v) for v in -(low + high)[:2] / 2)
    moved = tuple((surface, mesh.moved(x, y, -float(low[2]))) for surface, mesh in parts)
    return SceneObject(moved, float(high[0] - low[0]), float(high[1] - low[1]))


def height_of(item: SceneObject) -> float:
    """Return the height of an object in metres."""
    return max(float(mesh.vertices[:, 2].max()) for _, mesh in item.parts)


def tumbled(rng: np.random.Generator, item: SceneObject) -> SceneObject:
    """Return the object lying in a random orientation."""
    turn, upper = np.linalg.qr(rng.normal(size=(3, 3)))
    turn = turn * np.sign(np.diag(upper))
    turn = turn * np.sign(np.linalg.det(turn))
    return standing([(surface, mesh.turned(turn)) for surface, mesh in item.parts])


def mug(rng: np.random.Generator, materials: Materials) -> SceneObject:
    """Return a mug 8-11 cm high with a handle, or a glass without."""
    tall, radius = rng.uniform(0.08, 0.11), rng.uniform(0.033, 0.045)
    inner = radius - 0.004
    bowl = revolve(
        [(0, 0), (radius, 0), (radius, tall), (inner, tall), (inner, 0.006), (0, 0.006)], 14
    )
    parts = [bowl]
    if rng.random() < 0.7:
        out = radius + 0.028
        ends = [(radius, 0, 0.25 * tall), (out, 0, 0.35 * tall), (out, 0, 0.7 * tall)]
        ends.append((radius, 0, 0.8 * tall))
        parts += [rod(a, b, 0.005, 6) for a, b in pairwise(ends)]
    return standing([(materials.pick(), join(parts))])


def bottle(rng: np.random.Generator, materials: Materials) -> SceneObject:
    """Return a bottle 18-33 cm high with a cap."""
    tall, radius = rng.uniform(0.18, 0.33), rng.uniform(0.03, 0.045)
    neck = radius * rng.uniform(0.3, 0.5)
    outline = [(0, 0), (radius, 0), (radius, 0.6 * tall), (neck, 0.78 * tall), (neck, 0.95 * tall)]
    cap = cylinder(neck * 1.15, 0.06 * tall, 10).moved(0, 0, 0.94 * tall)
    label = cylinder(radius * 1.01, 0.25 * tall, 14).moved(0, 0, 0.2 * tall)
    return standing([
        (materials.pick(), revolve(outline, 14)),
        (materials.pick(), cap),
        (materials.picture(0.15), label),
    ])  # fmt: skip


def books(rng: np.random.Generator, materials: Materials) -> SceneObject:
    """Return one to six books in a pile."""
    parts: list[Part] = []
    z = 0.0
    for _ in range(int(rng.integers(1, 7))):
        size = (rng.uniform(0.12, 0.22), rng.uniform(0.18, 0.3), rng.uniform(0.008, 0.05))
        turn = float(rng.normal(0.0, 0.25))
        cover = box(size, (0, 0, size[2] / 2)).moved(0, 0, z, turn)
        parts.append((materials.picture(0.3) if rng.random() < 0.5 else materials.pick(), cover))
        z += size[2]
    return standing(parts)


def screen(rng: np.random.Generator, materials: Materials) -> SceneObject:
    """Return a monitor of 19 to 32 inches, or an open laptop."""
    paint, shown = materials.pick(), materials.picture(0.5)
    if rng.random() < 0.5:
        wide, deep = rng.uniform(0.28, 0.38), rng.uniform(0.2, 0.26)
        lid = [(paint, box((0.008, wide, deep), (-0.004, 0, deep / 2)))]
        lid.append(
            (
                shown,
                sheet((0.0005, -wide / 2 + 0.01, 0.012), (0, wide - 0.02, 0), (0, 0, deep - 0.02)),
            )
        )
        tilt = float(rng.uniform(-0.5, -0.1))
        parts = [(s, m.tilted(tilt).moved(-deep / 2, 0, 0.01)) for s, m in lid]
        parts.append((paint, box((deep, wide, 0.016), (0, 0, 0.008))))
        return standing(parts)
    wide = rng.uniform(0.42, 0.72)
    tall, low = wide * 0.58, rng.uniform(0.08, 0.18)
    image = sheet((0.021, 0.012 - wide / 2, low), (0, wide - 0.024, 0), (0, 0, tall - 0.024))
    return standing([
        (paint, box((0.18, 0.24, 0.015), (-0.04, 0, 0.0075))),
        (paint, box((0.03, 0.05, low + 0.1), (-0.05, 0, (low + 0.1) / 2))),
        (paint, box((0.04, wide, tall), (0, 0, low + tall / 2))),
        (shown, image.moved(0, 0, 0.012)),
    ])  # fmt: skip


def flat_thing(rng: np.random.Generator, materials: Materials) -> SceneObject:
    """Return a keyboard, phone, sheet of paper, plate or mouse."""
    sizes = ((0.14, 0.44, 0.025), (0.07, 0.15, 0.008), (0.21, 0.297, 0.001), (0.06, 0.11, 0.035))
    choice = int(rng.integers(5))
    if choice == 4:
        radius = rng.uniform(0.08, 0.15)
        outline = [
            (0.0, 0.0),
            (0.6 * radius, 0.0),
            (radius, 0.02),
            (0.6 * radius, 0.008),
            (0, 0.008),
        ]
        return standing([(materials.pick(), revolve(outline, 18))])
    surface = materials.picture(0.3) if rng.random() < 0.5 else materials.pick()
    return standing([(surface, box(sizes[choice]))])


def desk_lamp(rng: np.random.Generator, materials: Materials) -> SceneObject:
    """Return a desk lamp with a bent arm, 0.35-0.55 m high."""
    low, high = rng.uniform(0.2, 0.3), rng.uniform(0.35, 0.55)
    paint, elbow, head = materials.pick(), (-0.1, 0.0, low), (0.15, 0.0, high)
    shade = cylinder(0.08, 0.1, 12, top=0.035).moved(0.15, 0, high - 0.1)
    arms = [
        cylinder(0.09, 0.02, 14),
        rod((0, 0, 0.01), elbow, 0.007, 6),
        rod(elbow, head, 0.007, 6),
    ]
    return standing([(paint, join(arms)), (materials.pick(), shade)])


def potted(rng: np.random.Generator, materials: Materials) -> SceneObject:
    """Return a pot with a small plant of thin leaves, 0.15-0.45 m high."""
    pot, tall = rng.uniform(0.04, 0.09), rng.uniform(0.15, 0.45)
    leaves = []
    for _ in range(int(rng.integers(6, 18))):
        yaw, reach = rng.uniform(0, 2 * math.pi), rng.uniform(0.2, 0.9) * tall
        tip = (0.6 * reach * math.cos(yaw), 0.6 * reach * math.sin(yaw), pot + 0.8 * reach)
        leaves.append(rod((0, 0, pot), tip, 0.004, 4))
        leaves.append(ellipsoid((0.03, 0.018, 0.012), tip, 6))
    base = cylinder(0.8 * pot, 1.6 * pot, 12, top=pot)
    return standing([(materials.pick(), base), (materials.pick(), join(leaves))])


def primitive(rng: np.random.Generator, materials: Materials) -> SceneObject:
    """Return a random solid of 2 cm to 1 m, or a cluster of two or three."""
    edge = math.exp(rng.uniform(math.log(0.02), math.log(0.9)))
    count = int(rng.choice([1, 1, 1, 2, 3]))
    parts: list[Part] = []
    z = 0.0
    for _ in range(count):
        size = edge * np.exp(rng.uniform(-0.9, 0.0, 3))
        parts.append((materials.pick(), _solid(rng, size).moved(0, 0, z)))
        z += float(size[2])
    return standing(parts)


def _solid(rng: np.random.Generator, size: np.ndarray) -> Mesh:
    """Return a solid of about this size, standing on z = 0."""
    x, y, z = (float(v) for v in size)
    choice, sides = int(rng.integers(7)), int(rng.integers(3, 20))
    if choice < 2:
        return box((x, y, z), (0, 0, z / 2))
    if choice == 2:
        return ellipsoid((x / 2, y / 2, z / 2), (0, 0, z / 2), 16)
    if choice == 3:
        return faceted(
            cylinder(x / 2, z, sides, top=0.5 * x * float(rng.uniform(0.0, 1.3)) + 1e-3)
        )
    if choice == 4:
        ring = np.linspace(-math.pi, math.pi, 11)
        minor = 0.3 * min(x, z)
        outline = [(x / 2 - minor * math.cos(a), minor * (1 + math.sin(-a))) for a in ring]
        return revolve([(max(r, 0.0), h) for r, h in outline], 18)
    if choice == 5:
        heights = np.linspace(0.0, z, 6)
        return revolve(
            [(0, 0), *((0.5 * x * rng.uniform(0.2, 1.0), float(h)) for h in heights), (0, z)], 16
        )
    ball = ellipsoid((x / 2, y / 2, z / 2), (0, 0, z / 2), 16)
    return ball.roughened(rng, 0.25 * z, 0.6 * z)


SMALL: tuple[Factory, ...] = (
    mug, bottle, books, books, screen, flat_thing, flat_thing, desk_lamp, potted, primitive,
    primitive,
)  # fmt: skip
