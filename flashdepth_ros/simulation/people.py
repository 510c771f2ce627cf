"""People 1.5-1.95 m tall, standing or walking with moving limbs."""

from __future__ import annotations

import math

import numpy as np

from flashdepth_ros.simulation.mesh import Mesh, box, ellipsoid, revolve, rod
from flashdepth_ros.simulation.scene import Limb, MovingObject, Part, SceneObject
from flashdepth_ros.simulation.surfaces import Palette, Surface, random_surface

_SKINS = ((0.95, 0.78, 0.67), (0.85, 0.64, 0.5), (0.6, 0.42, 0.3), (0.38, 0.26, 0.19))


def _clothes(rng: np.random.Generator, palette: Palette) -> tuple[Surface, Surface, Surface]:
    skin = Surface(tint=_SKINS[int(rng.integers(len(_SKINS)))])
    shirt = random_surface(rng, 'fabric', 0.9) if rng.random() < 0.6 else palette.pick('fabric')
    return skin, shirt, random_surface(rng, 'fabric', 0.5)


def _torso(rng: np.random.Generator, tall: float, clothes: tuple[Surface, ...]) -> list[Part]:
    skin, shirt, trousers = clothes
    dark = float(rng.uniform(0.05, 0.45))
    hair = Surface(tint=(dark, 0.8 * dark, 0.6 * dark))
    girth = rng.uniform(0.9, 1.25)
    outline = [(0.13, 0.5), (0.15, 0.55), (0.125, 0.62), (0.16, 0.76), (0.14, 0.82), (0.04, 0.845)]
    trunk = _flattened(revolve([(r * girth * 1.2, z * tall) for r, z in outline], 12), 0.65)
    hips = _flattened(revolve([(0.06, 0.46 * tall), (0.165 * girth, 0.52 * tall)], 12), 0.7)
    head = ellipsoid((0.1, 0.078, 0.118), (0.01, 0, tall - 0.118), 12)
    return [
        (shirt, trunk),
        (trousers, hips),
        (skin, rod((0, 0, 0.83 * tall), (0.01, 0, 0.9 * tall), 0.055, 8)),
        (skin, head),
        (hair, ellipsoid((0.105, 0.085, 0.1), (-0.02, 0, tall - 0.095), 12)),
    ]


def _flattened(mesh: Mesh, share: float) -> Mesh:
    return Mesh(mesh.vertices * (share, 1, 1), mesh.normals, mesh.uv, mesh.faces)


def _leg(tall: float, clothes: tuple[Surface, ...]) -> tuple[Part, ...]:
    hip = 0.5 * tall
    shoe = Surface(tint=(0.12, 0.1, 0.1))
    return (
        (clothes[2], revolve([(0.055, -hip + 0.07), (0.065, -hip / 2), (0.09, 0.0)], 9)),
        (shoe, box((0.27, 0.1, 0.09), (0.06, 0, -hip + 0.045))),
    )


def _arm(tall: float, clothes: tuple[Surface, ...]) -> tuple[Part, ...]:
    reach = 0.34 * tall
    return (
        (clothes[1], rod((0, 0, 0.02), (0, 0, -0.65 * reach), 0.045, 8)),
        (clothes[0], rod((0, 0, -0.6 * reach), (0.06, 0, -reach), 0.036, 8)),
        (clothes[0], ellipsoid((0.045, 0.03, 0.08), (0.07, 0, -reach - 0.05), 8)),
    )


def person(rng: np.random.Generator, palette: Palette) -> SceneObject:
    """Return a standing person."""
    tall, clothes = float(rng.uniform(1.55, 1.92)), _clothes(rng, palette)
    parts = _torso(rng, tall, clothes)
    for side in (-1, 1):
        parts += [(s, m.moved(0, side * 0.1, 0.5 * tall)) for s, m in _leg(tall, clothes)]
        turn = float(rng.uniform(-0.5, 0.2))
        arm = [(s, m.tilted(turn)) for s, m in _arm(tall, clothes)]
        parts += [(s, m.moved(0, side * 0.235, 0.81 * tall)) for s, m in arm]
    return SceneObject(tuple(parts), 0.5, 0.6)


def walker(
    rng: np.random.Generator,
    palette: Palette,
    start: tuple[float, float],
    end: tuple[float, float],
) -> MovingObject:
    """Return a person who walks back and forth between two points at 0.5-1.6 m/s."""
    tall, clothes = float(rng.uniform(1.55, 1.92)), _clothes(rng, palette)
    speed = float(rng.uniform(0.5, 1.6))
    rate, phase = 0.35 + 0.4 * speed, float(rng.uniform(0, 2 * math.pi))
    limbs = []
    for side in (-1, 1):
        turn = phase + (0.0 if side < 0 else math.pi)
        hip, shoulder = (0.0, side * 0.1, 0.5 * tall), (0.0, side * 0.235, 0.81 * tall)
        limbs.append(Limb(_leg(tall, clothes), hip, 0.42, rate, turn))
        limbs.append(Limb(_arm(tall, clothes), shoulder, 0.35, rate, turn + math.pi))
    body = SceneObject(tuple(_torso(rng, tall, clothes)), 0.5, 0.6)
    offset = float(rng.uniform(0, 10))
    return MovingObject(body, start, end, speed, offset, tuple(limbs))
