"""Indoor objects in real sizes: seats, tables, shelves, beds, lamps, boxes, plants."""

from __future__ import annotations

from collections.abc import Callable
import math

import numpy as np

from flashdepth_ros.simulation.mesh import Mesh, box, cylinder, ellipsoid, revolve, rod, sheet
from flashdepth_ros.simulation.scene import Part, SceneObject
from flashdepth_ros.simulation.surfaces import Palette, Surface

Factory = Callable[[np.random.Generator, Palette], SceneObject]


def _legs(length: float, width: float, height: float, thick: float) -> list[Mesh]:
    x, y = (length - thick) / 2, (width - thick) / 2
    size = (thick, thick, height)
    return [box(size, (i * x, j * y, height / 2)) for i in (-1, 1) for j in (-1, 1)]


def table(rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return a dining table or desk, 0.70-0.76 m high, sometimes with objects on it."""
    length, width = rng.uniform(0.6, 1.0), rng.uniform(0.8, 2.0)
    height, top = rng.uniform(0.70, 0.76), palette.pick('wood')
    frame = top if rng.random() < 0.5 else palette.pick('paint')
    parts: list[Part] = [(top, box((length, width, 0.035), (0, 0, height - 0.018)))]
    parts += [(frame, leg) for leg in _legs(length - 0.06, width - 0.06, height - 0.036, 0.05)]
    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.uniform(-0.35, 0.35) * length, rng.uniform(-0.42, 0.42) * width
        parts += [(s, m.moved(x, y, height)) for s, m in _tableware(rng, palette)]
    return SceneObject(tuple(parts), length, width)


def _tableware(rng: np.random.Generator, palette: Palette) -> list[Part]:
    choice = int(rng.integers(5))
    paint = palette.pick('paint')
    if choice == 0:
        return [(paint, cylinder(0.035, rng.uniform(0.08, 0.3), 8))]
    if choice == 1:
        height = rng.uniform(0.03, 0.15)
        return [(palette.pick('books'), box((0.15, 0.21, height), (0, 0, height / 2)))]
    if choice == 2:
        screen = Surface('poster', int(rng.integers(6)), tile_m=0.5, glow=0.5)
        stand = box((0.12, 0.2, 0.12), (-0.05, 0, 0.06))
        panel = sheet((0.026, -0.26, 0.12), (0, 0.52, 0), (0, 0, 0.31))
        return [(paint, stand), (paint, box((0.05, 0.54, 0.33), (0, 0, 0.275))), (screen, panel)]
    if choice == 3:
        return [(paint, revolve([(0.05, 0), (0.12, 0.08), (0.11, 0.08), (0.0, 0.02)], 10))]
    return [(palette.pick('carton'), box((0.25, 0.3, 0.2), (0, 0, 0.1)))]


def chair(rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return a chair: seat 0.45 m, back 0.8-1.0 m high."""
    wood, seat = palette.pick('wood'), palette.pick('fabric' if rng.random() < 0.5 else 'wood')
    back = rng.uniform(0.8, 1.0)
    parts: list[Part] = [(seat, box((0.42, 0.42, 0.05), (0, 0, 0.435)))]
    parts += [(wood, leg) for leg in _legs(0.40, 0.40, 0.41, 0.035)]
    if rng.random() < 0.5:
        parts.append((seat, box((0.04, 0.40, back - 0.55), (-0.19, 0, (back + 0.6) / 2))))
    else:
        bars = np.linspace(-0.17, 0.17, 4)
        parts += [
            (wood, box((0.025, 0.03, back - 0.46), (-0.19, b, (back + 0.46) / 2))) for b in bars
        ]
        parts.append((wood, box((0.03, 0.4, 0.06), (-0.19, 0, back - 0.03))))
    return SceneObject(tuple(parts), 0.45, 0.45)


def office_chair(_rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return a swivel chair with a five-armed base."""
    cloth, metal = palette.pick('fabric'), palette.pick('paint')
    parts: list[Part] = [
        (cloth, box((0.48, 0.48, 0.08), (0, 0, 0.48))),
        (cloth, box((0.07, 0.44, 0.55), (-0.22, 0, 0.85))),
        (metal, cylinder(0.03, 0.4, 8).moved(0, 0, 0.06)),
    ]
    for angle in np.linspace(0, 2 * math.pi, 6)[:-1]:
        tip = (0.3 * math.cos(angle), 0.3 * math.sin(angle), 0.06)
        parts.append((metal, rod((0, 0, 0.1), tip, 0.02, 6)))
    return SceneObject(tuple(parts), 0.6, 0.6)


def sofa(rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return a sofa or armchair: seat 0.42 m, back 0.85 m, one to three seats."""
    places = int(rng.integers(1, 4))
    cloth, width = palette.pick('fabric'), 0.65 * places
    full = width + 0.36
    parts: list[Part] = [
        (cloth, box((0.85, full, 0.27), (0, 0, 0.21))),
        (cloth, box((0.22, full, 0.5), (-0.32, 0, 0.6))),
        (cloth, box((0.85, 0.18, 0.45), (0, full / 2 - 0.09, 0.4))),
        (cloth, box((0.85, 0.18, 0.45), (0, -full / 2 + 0.09, 0.4))),
    ]
    foot = palette.pick('wood')
    parts += [(foot, leg) for leg in _legs(0.8, full - 0.05, 0.08, 0.05)]
    cushion = palette.pick('fabric')
    for i in range(places):
        y = (i + 0.5) * 0.65 - width / 2
        parts.append((cloth, box((0.6, 0.62, 0.13), (0.1, y, 0.4))))
        if rng.random() < 0.4:
            parts.append((cushion, ellipsoid((0.1, 0.22, 0.2), (-0.14, y, 0.62), 10)))
    return SceneObject(tuple(parts), 0.85, full)


def shelf(rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return an open shelf 0.8-2.2 m high with books and boxes."""
    width, height, depth = rng.uniform(0.6, 1.2), rng.uniform(0.8, 2.2), rng.uniform(0.28, 0.4)
    wood = palette.pick('wood' if rng.random() < 0.7 else 'paint')
    levels = max(2, round(height / 0.36))
    parts: list[Part] = [
        (wood, box((depth, 0.025, height), (0, side * (width / 2 - 0.012), height / 2)))
        for side in (-1, 1)
    ]
    parts.append((wood, box((0.012, width, height), (-depth / 2 + 0.006, 0, height / 2))))
    gap = (height - 0.04) / levels
    for level in range(levels + 1):
        z = 0.03 + level * gap
        parts.append((wood, box((depth, width - 0.05, 0.025), (0, 0, z))))
        if level < levels and rng.random() < 0.8:
            parts.append(_shelf_load(rng, palette, width - 0.1, (depth, z + 0.0125, gap)))
    return SceneObject(tuple(parts), depth, width)


def _shelf_load(
    rng: np.random.Generator, palette: Palette, width: float, place: tuple[float, float, float]
) -> Part:
    depth, z, gap = place
    share = rng.uniform(0.3, 1.0)
    y = (1 - share) * width / 2 * rng.choice([-1, 1])
    height = min(0.28, gap - 0.06) if rng.random() < 0.6 else gap * rng.uniform(0.3, 0.8)
    surface = palette.pick('books' if rng.random() < 0.65 else 'carton')
    load = box((depth * 0.7, share * width, height), (0.0, y, z + height / 2))
    # The book texture has rows of 0.3 m from v = 0; align a row with the board.
    return surface, load.uv_shifted(float(rng.random()), height / 2)


def cabinet(rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return a cupboard, drawer unit or fridge with doors and handles."""
    width, depth = rng.uniform(0.5, 1.4), rng.uniform(0.4, 0.62)
    height = float(rng.choice([0.75, 0.9, 1.2, 1.8, 2.0]))
    body, handle = palette.pick(str(rng.choice(['wood', 'paint', 'metal']))), palette.pick('paint')
    parts: list[Part] = [(body, box((depth, width, height), (0, 0, height / 2)))]
    columns, rows = max(1, round(width / 0.55)), int(rng.integers(1, 4))
    for i in range(columns):
        for j in range(rows):
            wide, tall = width / columns, (height - 0.1) / rows
            y, z = (i + 0.5) * wide - width / 2, 0.1 + (j + 0.5) * tall
            front = box((0.018, wide - 0.012, tall - 0.012), (depth / 2 + 0.009, y, z))
            parts.append((body, front.uv_shifted(*rng.random(2))))
            grip = box((0.03, 0.12, 0.015), (depth / 2 + 0.03, y, z + tall * 0.3))
            parts.append((handle, grip))
    return SceneObject(tuple(parts), depth, width)


def bed(rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return a bed 2.0 m long, 0.9-1.8 m wide."""
    width, cloth = float(rng.choice([0.9, 1.4, 1.8])), palette.pick('fabric')
    wood, linen = palette.pick('wood'), palette.pick('fabric')
    parts: list[Part] = [
        (wood, box((2.05, width + 0.06, 0.3), (0, 0, 0.17))),
        (cloth, box((2.0, width, 0.22), (0, 0, 0.4))),
        (linen, box((1.3, width + 0.08, 0.06), (0.32, 0, 0.5))),
        (wood, box((0.05, width + 0.1, rng.uniform(0.8, 1.1)), (-1.03, 0, 0.45))),
    ]
    for y in np.linspace(-width / 4, width / 4, 2 if width > 1 else 1):
        parts.append((linen, ellipsoid((0.22, 0.33, 0.09), (-0.7, y, 0.54), 10)))
    return SceneObject(tuple(parts), 2.1, width + 0.1)


def lamp(rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return a standing lamp 1.4-1.8 m high."""
    height, metal = rng.uniform(1.4, 1.8), palette.pick('metal')
    shade = Surface(tint=(1.0, 0.93, 0.8), glow=float(rng.uniform(0.1, 0.8)))
    parts: list[Part] = [
        (metal, cylinder(0.14, 0.03, 14)),
        (metal, cylinder(0.012, height, 6)),
        (shade, cylinder(0.2, 0.28, 16, top=0.13).moved(0, 0, height - 0.28)),
    ]
    return SceneObject(tuple(parts), 0.3, 0.3)


def pot_plant(rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return a plant in a pot, 0.5-1.9 m high."""
    height, leaves = rng.uniform(0.5, 1.9), palette.pick('foliage')
    spread = height * rng.uniform(0.15, 0.25)
    parts: list[Part] = [(palette.pick('paint'), cylinder(0.11, 0.28, 12, top=0.16))]
    parts.append((palette.pick('bark'), rod((0, 0, 0.2), (0, 0, height * 0.7), 0.02, 6)))
    for _ in range(int(rng.integers(6, 16))):
        angle, reach = rng.uniform(0, 2 * math.pi), rng.uniform(0.2, 1.0) * spread
        at = (reach * math.cos(angle), reach * math.sin(angle), rng.uniform(0.4, 0.95) * height)
        size = rng.uniform(0.05, 0.14, 3)
        parts.append((leaves, ellipsoid((size[0], size[1], size[2] * 0.6), at, 7)))
    return SceneObject(tuple(parts), 2 * spread, 2 * spread)


def cartons(rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return a stack of cardboard boxes, sometimes on a 1.2 x 0.8 m pallet."""
    parts: list[Part] = []
    pallet = rng.random() < 0.4
    length, width = (1.2, 0.8) if pallet else tuple(rng.uniform(0.3, 0.6, 2))
    z = 0.0
    if pallet:
        wood = Surface('planks', 1, (0.85, 0.75, 0.6), 1.6)
        parts += [(wood, box((1.2, 0.1, 0.1), (0, y, 0.05))) for y in (-0.35, 0, 0.35)]
        parts += [
            (wood, box((0.1, 0.8, 0.022), (x, 0, 0.122))) for x in np.linspace(-0.55, 0.55, 7)
        ]
        z = 0.133
    for _ in range(int(rng.integers(1, 4))):
        height, shrink = rng.uniform(0.2, 0.45), rng.uniform(0.75, 1.0, 2)
        body = box((length * shrink[0], width * shrink[1], height), (0, 0, height / 2))
        turn = 0.0 if pallet else float(rng.uniform(-0.2, 0.2))
        parts.append((palette.pick('carton'), body.moved(0, 0, z, turn)))
        z += height
    return SceneObject(tuple(parts), length, width)


def bin_or_bucket(rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return a waste bin, bucket, drum or ball standing on the floor."""
    paint, kind = palette.pick('paint'), int(rng.integers(4))
    if kind == 0:
        return SceneObject(((paint, cylinder(0.12, 0.3, 14, top=0.16)),), 0.32, 0.32)
    if kind == 1:
        return SceneObject(((paint, cylinder(0.2, 0.65, 16)),), 0.4, 0.4)
    if kind == 2:
        return SceneObject(((paint, cylinder(0.29, 0.88, 18)),), 0.58, 0.58)
    radius = float(rng.uniform(0.06, 0.16))
    return SceneObject(
        ((paint, ellipsoid((radius,) * 3, (0, 0, radius), 16)),), 2 * radius, 2 * radius
    )


WALL_SIDE: tuple[Factory, ...] = (shelf, shelf, cabinet, cabinet, sofa, table, bed)
FREE_STANDING: tuple[Factory, ...] = (
    table, chair, chair, office_chair, lamp, pot_plant, cartons, bin_or_bucket, sofa,
)  # fmt: skip
