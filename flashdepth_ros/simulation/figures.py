"""People for near views: clothed, with faces and hair, standing or sitting, with moving arms."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np

from flashdepth_ros.simulation.materials import Materials
from flashdepth_ros.simulation.mesh import (
    Array,
    Mesh,
    Vector,
    along,
    box,
    ellipsoid,
    join,
    revolve,
)
from flashdepth_ros.simulation.scene import Limb, MovingObject, Part, SceneObject
from flashdepth_ros.simulation.surfaces import Surface, colour

TALL_M = (1.5, 1.95)
SEAT_M = (0.42, 0.48)
_SKINS = ((0.96, 0.8, 0.7), (0.87, 0.66, 0.53), (0.68, 0.48, 0.36), (0.42, 0.29, 0.21))
_WHITE = Surface(tint=(0.93, 0.93, 0.9), gloss=0.4)


@dataclass(frozen=True)
class _Look:
    """Height in metres, girth relative to a slim person, and what is worn."""

    tall: float
    girth: float
    skin: Surface
    hair: Surface
    top: Surface
    legs: Surface
    shoes: Surface
    long_sleeves: bool


def _draw_look(rng: np.random.Generator, materials: Materials) -> _Look:
    light = float(rng.uniform(0.85, 1.04))
    red, green, blue = _SKINS[int(rng.integers(len(_SKINS)))]
    dark = rng.uniform(0.03, 0.5)
    natural = (dark, 0.75 * dark, 0.5 * dark)
    return _Look(
        tall=float(rng.uniform(*TALL_M)),
        girth=float(rng.uniform(0.9, 1.3)),
        skin=Surface(tint=(light * red, light * green, light * blue), gloss=0.15),
        hair=Surface(tint=natural if rng.random() < 0.85 else colour(rng, 0.8)),
        top=materials.cloth(),
        legs=materials.cloth(),
        shoes=Surface(tint=colour(rng, 0.5, 0.05)),
        long_sleeves=bool(rng.random() < 0.6),
    )


def _bone(start: Vector, end: Vector, first: float, last: float) -> Mesh:
    """Return a rounded limb between two joints with these radii."""
    length = math.dist(start, end)
    outline = [(0.0, -first), (0.7 * first, -0.7 * first), (first, 0.0)]
    outline += [(last, length), (0.7 * last, length + 0.7 * last), (0.0, length + last)]
    return along(revolve(outline, 10), start, end)


def _step(start: Vector, length: float, swing: float, spread: float = 0.0) -> Vector:
    """Return the end of a bone that hangs down, swung forwards (+x) and spread to +y, radians."""
    x, y, z = start
    return (
        x + length * math.sin(swing) * math.cos(spread),
        y + length * math.sin(spread),
        z - length * math.cos(swing) * math.cos(spread),
    )


def _leg(look: _Look, hip: Vector, swing: float, bend: float, spread: float) -> list[Part]:
    tall, thick = look.tall, 0.085 * look.girth
    knee = _step(hip, 0.245 * tall, swing, spread)
    ankle = _step(knee, 0.246 * tall, swing - bend, spread)
    foot = ellipsoid((0.075 * tall, 0.05, 0.04), (ankle[0] + 0.05, ankle[1], ankle[2] - 0.03), 10)
    legs = join([_bone(hip, knee, thick, 0.06), _bone(knee, ankle, 0.06, 0.042)])
    return [(look.legs, legs), (look.shoes, foot)]


def _arm(look: _Look, swing: float, bend: float, spread: float) -> tuple[Part, ...]:
    """Return an arm with its shoulder at the origin; `spread` is positive to +y."""
    tall = look.tall
    elbow = _step((0.0, 0.0, 0.0), 0.18 * tall, swing, spread)
    wrist = _step(elbow, 0.15 * tall, swing + bend, 0.5 * spread)
    tip = _step(wrist, 0.06, swing + bend, 0.5 * spread)
    palm = _bone(wrist, tip, 0.033, 0.036)
    fingers = [
        _bone(_moved(tip, 0.0, 0.018 * k), _moved(_step(tip, 0.06, swing + bend), 0.0, 0.02 * k),
              0.009, 0.008)
        for k in (-1.5, -0.5, 0.5, 1.5)
    ]  # fmt: skip
    lower = look.top if look.long_sleeves else look.skin
    return (
        (look.top, _bone((0.0, 0.0, 0.0), elbow, 0.058 * look.girth, 0.044)),
        (lower, _bone(elbow, wrist, 0.044, 0.031)),
        (look.skin, join([palm, *fingers])),
    )


def _moved(point: Vector, x: float, y: float) -> Vector:
    return (point[0] + x, point[1] + y, point[2])


def _head(rng: np.random.Generator, look: _Look) -> list[Part]:
    """Return a head with a face towards +x, on a neck that begins at the origin."""
    eyes = [ellipsoid((0.012, 0.014, 0.011), (0.083, y, 0.2), 8) for y in (-0.033, 0.033)]
    iris = [ellipsoid((0.006, 0.007, 0.007), (0.094, y, 0.2), 6) for y in (-0.033, 0.033)]
    brows = [box((0.012, 0.036, 0.008), (0.09, y, 0.223)) for y in (-0.034, 0.034)]
    skin = [
        _bone((0.0, 0.0, -0.02), (0.01, 0.0, 0.1), 0.058, 0.052),
        ellipsoid((0.096, 0.076, 0.115), (0.005, 0.0, 0.185), 14),
        ellipsoid((0.055, 0.05, 0.04), (0.035, 0.0, 0.105), 10),
        ellipsoid((0.022, 0.014, 0.024), (0.1, 0.0, 0.165), 8),
        *(ellipsoid((0.018, 0.01, 0.03), (0.0, y, 0.18), 8) for y in (-0.077, 0.077)),
    ]
    lips = Surface(tint=(0.65, 0.3, 0.3))
    return [
        (look.skin, join(skin)),
        (_WHITE, join(eyes)),
        (Surface(tint=(0.1, 0.08, 0.07), gloss=0.5), join(iris)),
        (look.hair, join([*brows, *_hair(rng)])),
        (lips, ellipsoid((0.012, 0.024, 0.007), (0.088, 0.0, 0.125), 8)),
    ]


def _hair(rng: np.random.Generator) -> list[Mesh]:
    """Return short or long hair, a hat, or almost none."""
    style = int(rng.integers(5))
    cap = ellipsoid((0.104, 0.086, 0.1), (-0.018, 0.0, 0.215), 14)
    if style == 0:
        return [ellipsoid((0.09, 0.08, 0.08), (-0.022, 0.0, 0.215), 12)]
    if style == 1:
        return [cap, ellipsoid((0.06, 0.09, 0.19), (-0.06, 0.0, 0.11), 12)]
    if style == 2:
        rim = revolve([(0.0, 0.23), (0.17, 0.235), (0.17, 0.245), (0.0, 0.25)], 16)
        return [cap, rim, ellipsoid((0.1, 0.085, 0.1), (0.0, 0.0, 0.25), 12)]
    if style == 3:
        return [cap, ellipsoid((0.045, 0.045, 0.045), (-0.1, 0.0, 0.26), 8)]
    return [cap]


def _trunk(look: _Look, hip_m: float, rng: np.random.Generator) -> list[Part]:
    """Return hips and chest between the hip joints and the shoulders, and sometimes a skirt."""
    rise, wide = 0.3 * look.tall, 0.155 * look.girth
    outline = [(0.0, -0.09), (0.13, -0.05), (0.15, 0.03), (0.125, 0.4 * rise), (0.15, 0.75 * rise),
               (0.145, 0.92 * rise), (0.06, rise), (0.0, rise + 0.01)]  # fmt: skip
    depth = float(rng.uniform(0.6, 0.8))
    body = revolve([(r / 0.15 * wide, z) for r, z in outline], 16)
    squeezed = Mesh(
        body.vertices * (depth, 1.0, 1.0), _unit(body.normals / (depth, 1, 1)), body.uv, body.faces
    )
    belt = ellipsoid((depth * wide * 1.02, wide * 1.02, 0.1), (0.0, 0.0, -0.02), 14)
    return [(look.top, squeezed.moved(0, 0, hip_m)), (look.legs, belt.moved(0, 0, hip_m))]


def _unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def figure(
    rng: np.random.Generator, materials: Materials, place: tuple[float, float], yaw: float
) -> tuple[MovingObject, float]:
    """
    Return a person at a place whose arms move, and the height of the eyes in metres.

    A third of them sit on a stool of 0.42-0.48 m.
    """
    look, sits = _draw_look(rng, materials), bool(rng.random() < 0.35)
    parts: list[Part] = []
    hip_m = 0.53 * look.tall
    if sits:
        seat = float(rng.uniform(*SEAT_M))
        hip_m = seat + 0.09
        stool = revolve([(0.17, 0.0), (0.17, seat), (0.0, seat)], 16)
        parts.append((materials.pick(), stool))
    parts += _trunk(look, hip_m, rng)
    shoulder_m = hip_m + 0.27 * look.tall
    for side in (-1, 1):
        hip = (0.0, side * 0.09 * look.girth, hip_m)
        swing = float(rng.uniform(1.35, 1.6)) if sits else float(rng.normal(0.0, 0.07))
        bend = swing + float(rng.normal(0.0, 0.1)) if sits else abs(float(rng.normal(0.0, 0.08)))
        parts += _leg(look, hip, swing, bend, side * abs(float(rng.normal(0.05, 0.06))))
    head = [(s, m.moved(0, 0, hip_m + 0.3 * look.tall - 0.01)) for s, m in _head(rng, look)]
    tilt = float(rng.normal(0.0, 0.3))
    parts += [(s, m.moved(0, 0, 0, tilt)) for s, m in head]
    limbs = tuple(_moving_arm(rng, look, side, shoulder_m) for side in (-1, 1))
    body = SceneObject(tuple(parts), 0.6, 0.6)
    ahead = (place[0] + math.cos(yaw), place[1] + math.sin(yaw))
    return MovingObject(body, place, ahead, 0.0, limbs=limbs), hip_m + 0.3 * look.tall + 0.19


def _moving_arm(rng: np.random.Generator, look: _Look, side: int, shoulder_m: float) -> Limb:
    swing, bend = float(rng.normal(0.25, 0.5)), float(rng.uniform(0.05, 2.0))
    spread = side * float(rng.uniform(0.08, 0.5))
    pivot = (0.0, side * 0.165 * look.girth, shoulder_m)
    reach, rate = float(rng.uniform(0.0, 0.3)), float(rng.uniform(0.1, 0.6))
    return Limb(_arm(look, swing, bend, spread), pivot, reach, rate, float(rng.uniform(0, 6.28)))
