"""Floor plans: a rectangle split into rooms, and walls with doors and windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flashdepth_ros.simulation.mesh import Mesh, Vector, box, sheet
from flashdepth_ros.simulation.scene import Part
from flashdepth_ros.simulation.surfaces import Surface

CELL_M = 0.8
DOOR_M = (0.9, 2.03)


@dataclass(frozen=True)
class Room:
    """An axis-aligned room, metres."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def area(self) -> float:
        """Floor area in square metres."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)

    @property
    def centre(self) -> tuple[float, float]:
        """Centre of the floor."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2


@dataclass(frozen=True)
class Opening:
    """A door or window: centre along the wall, width, sill height and top height, metres."""

    at: float
    width: float
    sill: float
    top: float
    door: bool = False


@dataclass(frozen=True)
class Wall:
    """A wall from `start` to `end`; its inner face is on the left."""

    start: tuple[float, float]
    end: tuple[float, float]
    outer: bool
    openings: tuple[Opening, ...] = ()

    @property
    def length(self) -> float:
        """Length in metres."""
        return float(np.hypot(self.end[0] - self.start[0], self.end[1] - self.start[1]))

    @property
    def yaw(self) -> float:
        """Direction from start to end, radians."""
        return float(np.arctan2(self.end[1] - self.start[1], self.end[0] - self.start[0]))

    @property
    def thickness(self) -> float:
        """Thickness in metres."""
        return 0.24 if self.outer else 0.12

    def point(self, along: float, inwards: float = 0.0) -> tuple[float, float]:
        """Return the ground point at a distance along the wall and to the left of it."""
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        x = self.start[0] + along * cos - inwards * sin
        return float(x), float(self.start[1] + along * sin + inwards * cos)


def split_into_rooms(
    rng: np.random.Generator, room: Room, smallest: float
) -> tuple[list[Room], list[Wall]]:
    """Split a rectangle recursively; every split adds a wall with a doorway."""
    rooms: list[Room] = []
    walls: list[Wall] = []
    open_rooms = [room]
    while open_rooms:
        current = open_rooms.pop()
        parts = _split_once(rng, current, smallest, walls)
        if parts is None:
            rooms.append(current)
            continue
        first, second, wall = parts
        walls.append(wall)
        open_rooms += [first, second]
    return rooms, walls


def _split_once(
    rng: np.random.Generator, room: Room, smallest: float, walls: list[Wall]
) -> tuple[Room, Room, Wall] | None:
    size_x, size_y = room.x1 - room.x0, room.y1 - room.y0
    along_x = size_x >= size_y
    size = size_x if along_x else size_y
    if size < 2 * smallest + 0.5 or rng.random() < 0.12:
        return None
    low = room.x0 if along_x else room.y0
    doors = [wall.point(o.at)[0 if along_x else 1] for wall in walls for o in wall.openings]
    for _ in range(6):
        at = low + float(rng.uniform(smallest, size - smallest))
        if all(abs(at - door) > 0.8 for door in doors):
            break
    else:
        return None
    length = size_y if along_x else size_x
    door = float(rng.uniform(0.7, length - 0.7))
    wide = rng.random() < 0.25
    opening = Opening(door, min(2.0, 2 * min(door, length - door) - 0.2) if wide else 0.9,
                      0.0, 2.2 if wide else DOOR_M[1], not wide)  # fmt: skip
    if along_x:
        wall = Wall((at, room.y0), (at, room.y1), False, (opening,))
        return Room(room.x0, room.y0, at, room.y1), Room(at, room.y0, room.x1, room.y1), wall
    wall = Wall((room.x0, at), (room.x1, at), False, (opening,))
    return Room(room.x0, room.y0, room.x1, at), Room(room.x0, at, room.x1, room.y1), wall


def _face(corner: Vector, along: Vector, height: float) -> Mesh:
    """Return one face of a wall segment, with texture coordinates of the whole wall."""
    face = sheet(corner, along, (0, 0, height), CELL_M)
    return face.uv_shifted(corner[0] if along[0] > 0 else -corner[0], corner[2])


def _reveal(opening: Opening, thickness: float) -> list[Mesh]:
    left, right = opening.at - opening.width / 2, opening.at + opening.width / 2
    low, high, half = opening.sill, opening.top, thickness / 2
    tall, wide, deep = (0.0, 0.0, high - low), (opening.width, 0.0, 0.0), (0.0, thickness, 0.0)
    back: Vector = (0.0, -thickness, 0.0)
    return [
        sheet((left, half, low), back, tall),
        sheet((right, -half, low), deep, tall),
        sheet((left, half, high), wide, back),
        sheet((left, -half, low), wide, deep),
    ]


def wall_parts(
    wall: Wall, height: float, inner: Surface, outer: Surface, trim: Surface
) -> list[Part]:
    """Return the parts of a wall at its position: faces, reveals, frames and skirting."""
    thick, parts, along = wall.thickness, [], 0.0
    segments: list[tuple[float, float, float, float]] = []
    for opening in sorted(wall.openings, key=lambda o: o.at):
        left, right = opening.at - opening.width / 2, opening.at + opening.width / 2
        segments.append((along, left, 0.0, height))
        segments.append((left, right, opening.top, height))
        if opening.sill > 0:
            segments.append((left, right, 0.0, opening.sill))
        parts += [(trim, mesh) for mesh in _reveal(opening, thick) + _frame(opening, thick)]
        along = right
    segments.append((along, wall.length, 0.0, height))
    for left, right, low, high in segments:
        if right - left < 0.01 or high - low < 0.01:
            continue
        # Outer walls meet half a thickness beyond the ends of their centre lines.
        corners = (left == 0.0, right == wall.length) if wall.outer else (False, False)
        back_left, back_right = left - corners[0] * thick / 2, right + corners[1] * thick / 2
        parts += [
            (inner, _face((right, thick / 2, low), (left - right, 0, 0), high - low)),
            (
                outer,
                _face((back_left, -thick / 2, low), (back_right - back_left, 0, 0), high - low),
            ),
        ]
        if low == 0.0:
            size = (right - left, thick + 0.03, 0.08)
            parts.append((trim, box(size, ((left + right) / 2, 0, 0.04))))
    return [(surface, mesh.moved(*wall.start, 0.0, wall.yaw)) for surface, mesh in parts]


def _frame(opening: Opening, thickness: float) -> list[Mesh]:
    """Return the frame around an opening, and the glazing bars of a window."""
    deep, middle = thickness + 0.04, (opening.sill + opening.top) / 2
    tall, half = opening.top - opening.sill, opening.width / 2
    bars = [
        box((0.06, deep, tall), (opening.at + side * (half + 0.03), 0, middle)) for side in (-1, 1)
    ]
    bars.append(box((opening.width + 0.12, deep, 0.06), (opening.at, 0, opening.top + 0.03)))
    if opening.sill > 0:
        bars.append(box((opening.width + 0.2, deep + 0.1, 0.04), (opening.at, 0, opening.sill)))
        bars += [
            box((0.04, 0.05, tall), (opening.at + x, 0, middle))
            for x in (-half + 0.02, 0, half - 0.02)
        ]
        bars.append(box((opening.width, 0.05, 0.04), (opening.at, 0, middle)))
    return bars


def door_leaf(opening: Opening, swing: float, surface: Surface) -> list[Part]:
    """Return a door leaf with a handle, hinged on the left and opened by `swing` radians."""
    width, height = opening.width, opening.top
    steel = Surface(tint=(0.7, 0.7, 0.72), gloss=0.6)
    parts: list[Part] = [(surface, box((width, 0.04, height), (width / 2, 0, height / 2)))]
    parts += [
        (surface, box((width * 0.6, 0.052, h), (width / 2, 0, z)))
        for h, z in ((0.7, 0.5), (0.8, 1.45))
    ]
    parts.append((steel, box((0.12, 0.13, 0.02), (width - 0.12, 0, 1.05))))
    return [(s, m.moved(opening.at - width / 2, 0, 0, swing)) for s, m in parts]
