"""Furnished buildings: rooms, doors, windows, wall pictures, lamps and furniture."""

from __future__ import annotations

from dataclasses import replace
import math

import numpy as np

from flashdepth_ros.simulation import furniture
from flashdepth_ros.simulation.floorplan import (
    Opening,
    Room,
    Wall,
    door_leaf,
    split_into_rooms,
    wall_parts,
)
from flashdepth_ros.simulation.mesh import box, sheet
from flashdepth_ros.simulation.people import person
from flashdepth_ros.simulation.scene import Light, Scene
from flashdepth_ros.simulation.surfaces import Palette, Surface

_MAX_LAMPS = 4


def add_building(
    rng: np.random.Generator, scene: Scene, palette: Palette, outline: Room, *, shadows: bool
) -> None:
    """Add a furnished one-storey building; with `shadows` its main lamp casts shadows."""
    hall = outline.area > 60 and rng.random() < 0.3
    height = float(rng.uniform(3.5, 6.0) if hall else rng.uniform(2.4, 3.0))
    smallest = 7.0 if hall else float(rng.uniform(1.4, 3.2))
    rooms, walls = split_into_rooms(rng, outline, smallest)
    walls += _outer_walls(rng, outline, walls, height)
    for wall in walls:
        _add_wall(rng, scene, palette, wall, height)
    _add_floors(scene, palette, rooms, outline, height)
    for room in rooms:
        _add_furniture(rng, scene, palette, room)
    x, y = outline.centre
    scene.free.reserve((x, y, outline.x1 - outline.x0, outline.y1 - outline.y0, 0.0))
    for wall in walls:
        _add_pictures(rng, scene, palette, wall)
    for index, room in enumerate(sorted(rooms, key=lambda r: -r.area)):
        _add_lamp(rng, scene, room, height, index, shadows)


def _outer_walls(
    rng: np.random.Generator, outline: Room, inner: list[Wall], height: float
) -> list[Wall]:
    x0, y0, x1, y1 = outline.x0, outline.y0, outline.x1, outline.y1
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    share, entrance = float(rng.uniform(0.2, 0.8)), int(rng.integers(4))
    walls = []
    for side in range(4):
        bare = Wall(corners[side], corners[(side + 1) % 4], True)
        ends = [p for wall in inner for p in (wall.start, wall.end)]
        joints = [math.dist(bare.start, p) for p in ends if _is_on(bare, p)]
        openings: list[Opening] = []
        along = float(rng.uniform(0.8, 1.6))
        while along < bare.length - 0.8:
            width = float(rng.choice([0.8, 1.2, 1.6]))
            door = side == entrance and not any(o.door for o in openings)
            opening = Opening(along, 0.9, 0.0, 2.03, True) if door else _window(rng, along, width)
            clear = all(abs(along - joint) > opening.width / 2 + 0.25 for joint in joints)
            inside = along + opening.width / 2 < bare.length - 0.3
            if clear and inside and opening.top < height - 0.1 and (door or rng.random() < share):
                openings.append(opening)
            along += opening.width + float(rng.uniform(0.5, 2.0))
        walls.append(replace(bare, openings=tuple(openings)))
    return walls


def _is_on(wall: Wall, point: tuple[float, float]) -> bool:
    length = math.dist(wall.start, wall.end)
    return math.dist(wall.start, point) + math.dist(point, wall.end) < length + 1e-6


def _window(rng: np.random.Generator, along: float, width: float) -> Opening:
    french = rng.random() < 0.15
    return Opening(along, width, 0.1 if french else float(rng.choice([0.8, 0.9, 1.0])), 2.1)


def _add_wall(
    rng: np.random.Generator, scene: Scene, palette: Palette, wall: Wall, height: float
) -> None:
    inner = palette.pick('wall')
    outer = palette.pick('outer_wall') if wall.outer else inner
    scene.add(wall_parts(wall, height, inner, outer, palette.pick('trim')))
    along = 0.0
    for opening in sorted(wall.openings, key=lambda o: o.at):
        left, right = opening.at - opening.width / 2, opening.at + opening.width / 2
        _block(scene, wall, along, left)
        along = right
        if opening.sill > 0:
            _block(scene, wall, left, right)
            continue
        x, y = wall.point(opening.at)
        scene.free.reserve((x, y, opening.width, 1.8, wall.yaw))
        if opening.door and rng.random() < 0.7:
            closed = rng.random() < (0.7 if wall.outer else 0.25)
            swing = 0.0 if closed else float(rng.uniform(1.0, 1.6))
            parts = door_leaf(opening, swing, palette.pick('wood'))
            scene.add((s, m.moved(*wall.start, 0.0, wall.yaw)) for s, m in parts)
            if closed:
                _block(scene, wall, left, right)
            else:
                hinge = wall.point(left + 0.45 * math.cos(swing), 0.45 * math.sin(swing))
                scene.free.block((*hinge, 0.9, 0.06, wall.yaw + swing))
    _block(scene, wall, along, wall.length)


def _block(scene: Scene, wall: Wall, left: float, right: float) -> None:
    x, y = wall.point((left + right) / 2)
    scene.free.block((x, y, right - left, wall.thickness, wall.yaw))


def _add_floors(
    scene: Scene, palette: Palette, rooms: list[Room], outline: Room, height: float
) -> None:
    for room in rooms:
        size_x, size_y = room.x1 - room.x0, room.y1 - room.y0
        floor = sheet((room.x0, room.y0, 0.01), (size_x, 0, 0), (0, size_y, 0), 0.8)
        top = sheet((room.x0, room.y1, height), (size_x, 0, 0), (0, -size_y, 0), 0.8)
        scene.add([(palette.pick('floor'), floor), (palette.pick('ceiling'), top)])
    x, y = outline.centre
    size = (outline.x1 - outline.x0 + 0.5, outline.y1 - outline.y0 + 0.5, 0.3)
    scene.add([(palette.pick('paint'), box(size, (x, y, height + 0.16)))])


def _add_furniture(rng: np.random.Generator, scene: Scene, palette: Palette, room: Room) -> None:
    density = float(rng.uniform(0.3, 1.5))
    for _ in range(min(30, int(density * room.area))):
        factories = furniture.WALL_SIDE
        item = factories[int(rng.integers(len(factories)))](rng, palette)
        side, gap = int(rng.integers(4)), 0.16 + item.length / 2
        x, y = _within(rng, room, item.width / 2 + 0.15)
        if side < 2:
            y = room.y0 + gap if side == 0 else room.y1 - gap
        else:
            x = room.x0 + gap if side == 2 else room.x1 - gap
        scene.try_place(item, x, y, (math.pi / 2, -math.pi / 2, 0.0, math.pi)[side])
    for _ in range(min(20, int(density * room.area * 0.5))):
        factories = furniture.FREE_STANDING
        is_person = rng.random() < 0.12
        item = (person if is_person else factories[int(rng.integers(len(factories)))])(
            rng, palette
        )
        scene.try_place(item, *_within(rng, room, 0.4), float(rng.uniform(0, 2 * math.pi)))


def _within(rng: np.random.Generator, room: Room, margin: float) -> tuple[float, float]:
    (x, y), wide, deep = room.centre, room.x1 - room.x0, room.y1 - room.y0
    spread_x, spread_y = max(0.0, wide / 2 - margin), max(0.0, deep / 2 - margin)
    return x + float(rng.uniform(-1, 1)) * spread_x, y + float(rng.uniform(-1, 1)) * spread_y


def _add_pictures(rng: np.random.Generator, scene: Scene, palette: Palette, wall: Wall) -> None:
    frame = palette.pick('paint')
    for along in np.arange(0.7, wall.length - 0.7, 1.4):
        at, edge = float(along + rng.uniform(-0.3, 0.3)), float(rng.choice([0.3, 0.5, 0.8]))
        taken = any(abs(at - o.at) < (o.width + edge) / 2 + 0.15 for o in wall.openings)
        if taken or rng.random() < 0.55:
            continue
        image = replace(palette.pick('print'), tile_m=edge)
        face = sheet((edge / 2, 0.022, -edge / 2), (-edge, 0, 0), (0, 0, edge))
        parts = [(frame, box((edge + 0.05, 0.04, edge + 0.05))), (image, face)]
        x, y = wall.point(at, wall.thickness / 2)
        scene.add((s, m.moved(x, y, 1.55, wall.yaw)) for s, m in parts)


def _add_lamp(
    rng: np.random.Generator, scene: Scene, room: Room, height: float, index: int, shadows: bool
) -> None:
    x, y = room.centre
    glow = Surface(tint=(1.0, 0.97, 0.9), glow=1.0)
    scene.add([(glow, box((0.6, 0.6, 0.05), (x, y, height - 0.03)))])
    if index >= _MAX_LAMPS or rng.random() < 0.15:
        return
    warm = rng.uniform(0.75, 1.0)
    power = float(rng.uniform(0.4, 0.75))
    tone = (power, power * (0.5 + 0.5 * warm), power * warm)
    reach = (1.0, 0.0, 1.2 / max(room.area, 6.0))
    shadow = shadows and index == 0
    cutoff = 80.0 if shadow else 180.0
    at = (x, y, height - 0.1)
    scene.lights.append(Light(at, (0, 0, -1), tone, False, shadow, cutoff, reach))
