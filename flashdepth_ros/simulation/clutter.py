"""Clutter for any scene: laid tables, racks, heaps and hanging things."""

from __future__ import annotations

from dataclasses import replace
import math
from typing import NamedTuple

import numpy as np

from flashdepth_ros.simulation.materials import Materials
from flashdepth_ros.simulation.mesh import box, cylinder, rod
from flashdepth_ros.simulation.mesh_files import UNPAINTED
from flashdepth_ros.simulation.mesh_folder import MeshFolder
from flashdepth_ros.simulation.scene import Part, Rectangle, Scene, SceneObject, Sight
from flashdepth_ros.simulation.things import SMALL, height_of, primitive, standing, tumbled

TABLE_M = {'table': (0.70, 0.76), 'coffee': (0.38, 0.5), 'bench': (0.85, 0.95), 'bar': (1.0, 1.1)}
HANGING_FROM_M = 2.4


class Stock(NamedTuple):
    """What the objects of a scene are made of."""

    materials: Materials
    meshes: MeshFolder

    def thing(self, rng: np.random.Generator, largest_m: float) -> SceneObject:
        """Return a thing whose longest edge is about this at most."""
        if self.meshes and rng.random() < 0.45:
            drawn = self.meshes.draw(rng, 0.03, largest_m)
            if drawn:
                return self.painted(rng, drawn)
        for _ in range(6):
            factory = SMALL[int(rng.integers(len(SMALL)))]
            item = factory(rng, self.materials)
            if max(item.length, item.width, height_of(item)) <= largest_m:
                return item
        return standing([(self.materials.pick(), box((0.05, 0.07, 0.04)))])

    def painted(self, rng: np.random.Generator, item: SceneObject) -> SceneObject:
        """Return an object of a file with materials where it has none, sometimes everywhere."""
        everywhere = rng.random() < 0.3
        parts = tuple(
            (self.materials.pick() if everywhere or surface == UNPAINTED else surface, mesh)
            for surface, mesh in item.parts
        )
        return replace(item, parts=parts)


def laid(
    rng: np.random.Generator, stock: Stock, size: tuple[float, float], room_m: float, count: int
) -> list[Part]:
    """
    Return up to `count` things that stand on a board of this size at z = 0, side by side.

    :param room_m: height of the room above the board.
    """
    parts: list[Part] = []
    taken: list[tuple[float, float, float]] = []
    for _ in range(count):
        item = stock.thing(rng, min(0.55, room_m, 0.8 * max(size)))
        if rng.random() < 0.15:
            item = standing([(surface, mesh.tilted(math.pi / 2)) for surface, mesh in item.parts])
        radius = math.hypot(item.length, item.width) / 2
        x, y = (float(rng.uniform(-0.5, 0.5)) * max(0.0, edge - radius) for edge in size)
        clear = all(math.hypot(x - a, y - b) > 0.8 * (radius + r) for a, b, r in taken)
        if clear and height_of(item) < room_m and 2 * radius < 1.3 * min(size):
            parts += item.parts_at(x, y, 0.0, float(rng.uniform(0, 2 * math.pi)))
            taken.append((x, y, radius))
    return parts


def laid_table(rng: np.random.Generator, stock: Stock) -> tuple[SceneObject, float]:
    """Return a table with things on it, and the height of its top in metres."""
    low, high = TABLE_M[str(rng.choice(list(TABLE_M), p=(0.6, 0.2, 0.1, 0.1)))]
    top, size = float(rng.uniform(low, high)), rng.uniform((0.45, 0.6), (0.95, 1.9))
    length, width = (float(v) for v in size)
    board, frame = stock.materials.pick(), stock.materials.pick()
    thick = float(rng.uniform(0.015, 0.05))
    parts: list[Part]
    if rng.random() < 0.3:
        radius = length / 2 + 0.1
        parts = [(board, cylinder(radius, thick, 24).moved(0, 0, top - thick))]
        parts.append((frame, cylinder(0.04, top - thick, 10)))
        parts.append((frame, cylinder(0.5 * radius, 0.03, 16)))
        length = width = 1.4 * radius
    else:
        parts = [(board, box((length, width, thick), (0, 0, top - thick / 2)))]
        x, y, tall = length / 2 - 0.04, width / 2 - 0.04, top - thick
        parts += [
            (frame, box((0.05, 0.05, tall), (i * x, j * y, tall / 2)))
            for i in (-1, 1)
            for j in (-1, 1)
        ]
    things = laid(rng, stock, (length, width), 0.9, int(rng.integers(2, 20)))
    parts += [(surface, mesh.moved(0, 0, top)) for surface, mesh in things]
    return SceneObject(tuple(parts), length, width), top


def rack(rng: np.random.Generator, stock: Stock) -> SceneObject:
    """Return an open rack 0.7-2.2 m high with things on its boards, its front towards +x."""
    width, depth = float(rng.uniform(0.5, 1.3)), float(rng.uniform(0.25, 0.45))
    levels, gap = int(rng.integers(2, 6)), float(rng.uniform(0.25, 0.42))
    tall = min(levels * gap + 0.05, 2.2)
    surface = stock.materials.pick()
    posts = [(i * (depth / 2 - 0.015), j * (width / 2 - 0.015)) for i in (-1, 1) for j in (-1, 1)]
    parts: list[Part] = [(surface, box((0.03, 0.03, tall), (x, y, tall / 2))) for x, y in posts]
    for level in range(levels):
        z = 0.05 + level * gap
        if z > tall:
            break
        parts.append((surface, box((depth, width, 0.02), (0, 0, z - 0.01))))
        things = laid(rng, stock, (depth, width), gap - 0.04, int(rng.integers(0, 8)))
        parts += [(s, m.moved(0, 0, z)) for s, m in things]
    return SceneObject(tuple(parts), depth, width)


def heap(rng: np.random.Generator, stock: Stock, radius: float) -> SceneObject:
    """Return a heap of things that lie on the ground and on each other."""
    parts: list[Part] = []
    lying: list[tuple[float, float, float, float]] = []
    for _ in range(int(rng.integers(3, 16))):
        item = tumbled(rng, stock.thing(rng, max(0.15, 0.8 * radius)))
        size = math.hypot(item.length, item.width) / 2
        x, y = (float(v) for v in rng.normal(0.0, 0.45 * radius, 2))
        below = [top for a, b, r, top in lying if math.hypot(x - a, y - b) < 0.45 * (size + r)]
        z = max(below, default=0.0)
        if z < radius:
            parts += item.parts_at(x, y, z)
            lying.append((x, y, size, z + 0.6 * height_of(item)))
    return SceneObject(tuple(parts), 1.6 * radius, 1.6 * radius)


def hanging(rng: np.random.Generator, stock: Stock, ceiling_m: float) -> SceneObject:
    """Return a thing on a cord from the ceiling, its lower end 1.2 to 2 m above the floor."""
    item = stock.thing(rng, 0.6)
    tall = height_of(item)
    z = min(float(rng.uniform(1.2, 2.0)), ceiling_m - tall - 0.1)
    parts = item.parts_at(0, 0, z)
    cord = rod((0, 0, z + 0.9 * tall), (0, 0, ceiling_m), 0.006, 6)
    return SceneObject((*parts, (stock.materials.pick(), cord)), 0.0, 0.0)


def add_clutter(rng: np.random.Generator, scene: Scene, stock: Stock, amount: float) -> None:
    """Add tables, racks, heaps, larger objects and, indoors, hanging things, with sights."""
    ground = _Ground(scene)
    for _ in range(int(rng.poisson(2.0 * amount))):
        table, top = laid_table(rng, stock)
        whole, near = (Sight((0, 0, top + 0.05), 0.3, 0.3, reach) for reach in (1.5, 0.9))
        ground.place(rng, table, whole, near)
    for _ in range(int(rng.poisson(1.2 * amount))):
        ground.place(rng, rack(rng, stock), Sight((0, 0, 0.8), 0.35, 0.5, 2.0))
    for _ in range(int(rng.poisson(1.5 * amount))):
        radius = float(rng.uniform(0.15, 0.6))
        pile = heap(rng, stock, radius)
        ground.place(rng, pile, Sight((0, 0, 0.5 * radius), 0.6 * radius, 0.4, 2.5))
    for _ in range(int(rng.poisson(3.0 * amount))):
        item = _single(rng, stock)
        ground.place(rng, item, Sight((0, 0, 0.5 * height_of(item)), 0.2, 0.5, 2.5))
    for _ in range(int(rng.poisson(0.7 * amount)) if scene.indoor else 0):
        point = scene.free.draw_point(rng, 0.2)
        if point is not None:
            scene.add(hanging(rng, stock, HANGING_FROM_M).parts_at(*point))
    ground.block()


def _single(rng: np.random.Generator, stock: Stock) -> SceneObject:
    if stock.meshes and rng.random() < 0.75:
        drawn = stock.meshes.draw(rng, 0.25, 2.5)
        if drawn:
            return stock.painted(rng, drawn)
    return primitive(rng, stock.materials)


class _Ground:
    """Puts objects on free ground, and blocks it at the end, which takes long for each object."""

    def __init__(self, scene: Scene) -> None:
        self._scene, self._reach = scene, 1.0 if scene.indoor else 0.3
        self._placed: list[tuple[float, Rectangle]] = []

    def place(self, rng: np.random.Generator, item: SceneObject, *sights: Sight) -> None:
        """Put an object at a free place, if there is one, and note its sights."""
        radius = math.hypot(item.length, item.width) / 2
        point = self._scene.free.draw_point(rng, radius + 0.05, self._reach, 25)
        if point is None or any(math.dist(point, r[:2]) < radius + o for o, r in self._placed):
            return
        yaw, ground = float(rng.uniform(0, 2 * math.pi)), self._scene.ground(*point)
        self._scene.add(item.parts_at(*point, ground, yaw))
        self._placed.append((radius, (*point, item.length, item.width, yaw)))
        for sight in sights:
            at = (*point, sight.point[2] + ground)
            self._scene.sights.append(replace(sight, point=at))

    def block(self) -> None:
        """Mark the footprints of all placed objects as occupied."""
        for _, rectangle in self._placed:
            self._scene.free.block(rectangle)
