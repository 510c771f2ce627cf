"""Hand-held views for varied scenes: any height, tilt and roll, and close-ups."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.simulation.camera_path import camera_rotation
from flashdepth_ros.simulation.mesh import Mesh
from flashdepth_ros.simulation.scene import Scene, Sight

Array = NDArray[np.float64]

ROLL_DEG = 25.0
EYE_M = (0.15, 2.0)
LEVEL_EYE_M = {'indoors': (0.4, 2.0), 'outdoors': (1.0, 2.2)}
LOWEST_M, HIGHEST_M = 0.1, 2.2
_REACH_M = 9.0
_SIGHT_SHARE = 0.45
_SURFACE_SHARE = 0.2
_AHEAD_SHARE = {'indoors': 0.1, 'outdoors': 0.5}
_DIRECTIONS = 12
_LONGEST_WAY_M = 40.0


def draw_view(rng: np.random.Generator, scene: Scene, times_s: Array) -> Array | None:
    """
    Return camera-to-world poses (T, 4, 4) of a hand-held camera, or None if none was found.

    It looks along a free way as from a vehicle, at one of the sights of the scene, at any surface,
    or in any direction.
    """
    aimed = _aimed(rng, scene)
    return None if aimed is None else _poses(rng, *aimed, times_s)


def _aimed(rng: np.random.Generator, scene: Scene) -> tuple[Array, Array] | None:
    if rng.random() < _AHEAD_SHARE[_where(scene)]:
        return _ahead(rng, scene)
    chance = rng.random()
    if scene.sights and chance < _SIGHT_SHARE:
        return _at_sight(rng, scene, scene.sights[int(rng.integers(len(scene.sights)))])
    if chance > 1.0 - _SURFACE_SHARE:
        return _at_surface(rng, scene)
    return _around(rng, scene)


def _ahead(rng: np.random.Generator, scene: Scene) -> tuple[Array, Array] | None:
    """Return eye and target of a level view along the longest free way of a few directions."""
    place = _place(rng, scene)
    if place is None:
        return None
    yaws = rng.uniform(-math.pi, math.pi, _DIRECTIONS).tolist()
    yaw = max(yaws, key=lambda each: _free_way_m(scene, place, each))
    height = rng.uniform(*LEVEL_EYE_M[_where(scene)])
    return _looking(scene, place, height, yaw, rng.normal(0.03, 0.06))


def _where(scene: Scene) -> str:
    return 'indoors' if scene.indoor else 'outdoors'


def _free_way_m(scene: Scene, place: tuple[float, float], yaw: float) -> float:
    """Return how far it is from a place to the nearest obstacle in a direction."""
    distance = 0.0
    while distance < _LONGEST_WAY_M:
        x, y = place[0] + distance * math.cos(yaw), place[1] + distance * math.sin(yaw)
        clearance = scene.free.clearance(x, y)
        if clearance < 0.2:
            break
        distance += clearance
    return distance


def _place(rng: np.random.Generator, scene: Scene) -> tuple[float, float] | None:
    return scene.free.draw_point(rng, 0.25, 1.0 if scene.indoor else 0.5)


def _looking(
    scene: Scene, place: tuple[float, float], height: float, yaw: float, pitch: float
) -> tuple[Array, Array]:
    """Return eye and target from a height above the ground in a direction; pitch is down."""
    eye = np.array([*place, scene.ground(*place) + height])
    ahead = (math.cos(yaw) * math.cos(pitch), math.sin(yaw) * math.cos(pitch), -math.sin(pitch))
    return eye, eye + 2.0 * np.array(ahead)


def _around(rng: np.random.Generator, scene: Scene) -> tuple[Array, Array] | None:
    """Return eye and target of a view from a free place in any direction."""
    place = _place(rng, scene)
    if place is None:
        return None
    height, yaw = rng.uniform(*EYE_M), rng.uniform(-math.pi, math.pi)
    return _looking(scene, place, height, yaw, float(np.clip(rng.normal(0.08, 0.3), -1, 1)))


def _at_sight(rng: np.random.Generator, scene: Scene, sight: Sight) -> tuple[Array, Array] | None:
    """Return eye and target of a view of a sight, from any side and mostly from above."""
    distance = _log_uniform(rng, sight.nearest, sight.farthest)
    yaw, up = rng.uniform(-math.pi, math.pi), float(np.clip(rng.normal(0.45, 0.35), -0.1, 1.4))
    away = (math.cos(yaw) * math.cos(up), math.sin(yaw) * math.cos(up), math.sin(up))
    target = np.asarray(sight.point) + rng.normal(0.0, 0.5 * sight.radius, 3) * (1.0, 1.0, 0.3)
    return _held(scene, target + distance * np.array(away), target)


def _at_surface(rng: np.random.Generator, scene: Scene) -> tuple[Array, Array] | None:
    """Return eye and target of a view of a random triangle, at most 55 degrees off its normal."""
    mesh = scene.parts[int(rng.integers(len(scene.parts)))][1]
    target, normal = _point_on(rng, mesh)
    if math.hypot(target[0], target[1]) > _REACH_M:
        return None
    slant = rng.normal(size=3)
    slant -= (slant @ normal) * normal
    slant /= max(float(np.linalg.norm(slant)), 1e-9)
    angle = rng.uniform(0.0, math.radians(55.0))
    away = math.cos(angle) * normal + math.sin(angle) * slant
    distance = _log_uniform(rng, 0.3, 2.5)
    return _held(scene, target + distance * away, target)


def _point_on(rng: np.random.Generator, mesh: Mesh) -> tuple[Array, Array]:
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    doubled_area = np.linalg.norm(normals, axis=1)
    total = doubled_area.sum()
    face = int(rng.choice(len(corners), p=doubled_area / total)) if total > 0 else 0
    point = rng.dirichlet((1.0, 1.0, 1.0)) @ corners[face]
    return point, normals[face] / max(float(doubled_area[face]), 1e-12)


def _held(scene: Scene, eye: Array, target: Array) -> tuple[Array, Array] | None:
    """Return eye and target if the eye is as high as a camera is held or mounted."""
    height = eye[2] - scene.ground(float(eye[0]), float(eye[1]))
    return (eye, target) if LOWEST_M <= height <= HIGHEST_M else None


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _poses(rng: np.random.Generator, eye: Array, target: Array, times_s: Array) -> Array:
    """Return the poses of a camera that drifts, turns and rolls slowly."""
    ahead = target - eye
    distance = float(np.linalg.norm(ahead))
    yaw = math.atan2(ahead[1], ahead[0])
    pitch = -math.asin(float(np.clip(ahead[2] / distance, -1.0, 1.0)))
    tilted = rng.random() < 0.35
    roll = rng.uniform(-ROLL_DEG, ROLL_DEG) if tilted else float(np.clip(rng.normal(0, 3), -9, 9))
    drift = rng.normal(0.0, min(0.4, 0.2 * distance), 3) * float(rng.random() < 0.8)
    turn = rng.normal(0.0, 0.12, 2)
    shake = rng.normal(0.0, 0.004, (len(times_s), 3))
    poses = np.tile(np.eye(4), (len(times_s), 1, 1))
    for row, time in enumerate(times_s - times_s[0]):
        # Slowing down, so that long clips stay near.
        moved = 1.0 - math.exp(-float(time))
        angles = (yaw + turn[0] * moved, pitch + turn[1] * moved, math.radians(roll))
        poses[row, :3, :3] = camera_rotation(*(np.array(angles) + shake[row]))
        poses[row, :3, 3] = eye + drift * moved
    return poses
