"""Bare rooms and places of one random look, as a stage for clutter and people."""

from __future__ import annotations

import math

import numpy as np

from flashdepth_ros.simulation.materials import Materials
from flashdepth_ros.simulation.mesh import Mesh, Vector, box, sheet
from flashdepth_ros.simulation.scene import FreeSpace, Light, Scene, Sky
from flashdepth_ros.simulation.surfaces import Surface, colour

DOOR_M = (0.9, 2.03)
HEIGHT_M = (2.25, 3.4)
_GRID_M = 0.5


def make_studio(rng: np.random.Generator, sky: Sky, materials: Materials) -> Scene:
    """Return an empty room of 1.6 to 9 m; sometimes walls or the ceiling are missing."""
    low, high = math.log(0.8), math.log(4.5)
    half_x, half_y = (float(v) for v in np.exp(rng.uniform(low, high, 2)))
    height = float(rng.uniform(*HEIGHT_M))
    level = float(rng.uniform(0.2, 0.75))
    tint = colour(rng, 0.25, 0.8)
    ambient = (level * tint[0], level * tint[1], level * tint[2])
    scene = Scene(FreeSpace(half_x, half_y, 0.04), sky, True, ambient=ambient)
    floor = sheet((-half_x, -half_y, 0), (2 * half_x, 0, 0), (0, 2 * half_y, 0), _GRID_M)
    scene.add([(materials.pick(), floor)])
    if rng.random() < 0.85:
        ceiling = sheet(
            (-half_x, half_y, height), (2 * half_x, 0, 0), (0, -2 * half_y, 0), _GRID_M
        )
        scene.add([(materials.pick(), ceiling)])
    corners = [(-half_x, -half_y), (half_x, -half_y), (half_x, half_y), (-half_x, half_y)]
    open_side = int(rng.integers(4)) if rng.random() < 0.25 else -1
    one = materials.pick() if rng.random() < 0.6 else None
    for side in range(4):
        if side != open_side:
            wall = _Wall(corners[side], corners[(side + 1) % 4], height)
            _add_wall(rng, scene, materials, wall, one or materials.pick())
    _add_lamps(rng, scene, height)
    return scene


class _Wall:
    """A wall in its own frame: x along it, y to its front, z up."""

    def __init__(
        self, start: tuple[float, float], end: tuple[float, float], height: float
    ) -> None:
        self.length, self.height = math.dist(start, end), height
        self._start, self._yaw = start, math.atan2(end[1] - start[1], end[0] - start[0])

    def put(self, mesh: Mesh) -> Mesh:
        return mesh.moved(*self._start, 0.0, self._yaw)


def _add_wall(
    rng: np.random.Generator, scene: Scene, materials: Materials, wall: _Wall, surface: Surface
) -> None:
    """Add a wall with a door, skirting, pictures and ledges."""
    face = sheet((wall.length, 0, 0), (-wall.length, 0, 0), (0, 0, wall.height), _GRID_M)
    scene.add([(surface, wall.put(face))])
    if rng.random() < 0.6:
        size = (wall.length, 0.03, 0.08)
        scene.add([(materials.pick(), wall.put(box(size, (wall.length / 2, 0, 0.04))))])
    along = 0.3
    while along < wall.length - 0.5:
        wide = float(rng.uniform(0.25, 1.3))
        if along + wide > wall.length - 0.1:
            break
        if rng.random() < 0.25 and wall.length - along > DOOR_M[0] + 0.1:
            _add_door(scene, materials, wall, along)
            wide = DOOR_M[0]
        elif rng.random() < 0.6:
            _add_picture(rng, scene, materials, wall, (along, wide))
        along += wide + float(rng.uniform(0.1, 1.2))


def _add_door(scene: Scene, materials: Materials, wall: _Wall, along: float) -> None:
    wide, tall = DOOR_M
    leaf, frame = materials.pick(), materials.pick()
    middle = along + wide / 2
    scene.add([(leaf, wall.put(box((wide, 0.05, tall), (middle, 0, tall / 2))))])
    for x in (along, along + wide):
        scene.add([(frame, wall.put(box((0.07, 0.08, tall + 0.04), (x, 0, tall / 2 + 0.02))))])
    handle = box((0.12, 0.14, 0.025), (along + 0.1, 0, 1.05))
    scene.add([(frame, wall.put(handle))])


def _add_picture(
    rng: np.random.Generator,
    scene: Scene,
    materials: Materials,
    wall: _Wall,
    span: tuple[float, float],
) -> None:
    """Add a framed picture, a window with a photograph as its view, or a ledge."""
    along, wide = span
    tall = wide * float(rng.uniform(0.5, 1.4))
    z = float(
        np.clip(rng.normal(1.5, 0.2), tall / 2 + 0.3, max(wall.height - tall / 2 - 0.1, 1.0))
    )
    if rng.random() < 0.15:
        board = box((wide, 0.36, 0.03), (along + wide / 2, 0.0, z))
        scene.add([(materials.pick(), wall.put(board))])
        return
    frame = box((wide, 0.04, tall), (along + wide / 2, 0.0, z))
    corner: Vector = (along + wide - 0.03, 0.021, z - tall / 2 + 0.03)
    face = sheet(corner, (0.06 - wide, 0, 0), (0, 0, tall - 0.06))
    scene.add([(materials.pick(), wall.put(frame))])
    scene.add([(materials.picture(round(wide, 2)), wall.put(face))])


def _add_lamps(rng: np.random.Generator, scene: Scene, height: float) -> None:
    """Add one to three lamps at any place below the ceiling."""
    for _ in range(int(rng.integers(1, 4))):
        x, y = scene.free.draw_point(rng, 0.1) or (0.0, 0.0)
        power, tint = float(rng.uniform(0.15, 0.7)), colour(rng, 0.5, 0.7)
        tone = (power * tint[0], power * tint[1], power * tint[2])
        at = (x, y, float(rng.uniform(0.6, 0.97)) * height)
        reach = (1.0, 0.0, float(rng.uniform(0.02, 0.4)))
        scene.lights.append(Light(at, (0, 0, -1), tone, attenuation=reach))
