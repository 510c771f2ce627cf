"""Collision-free paths of a robot's camera: driving, walking, turning, sideways, waiting."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.simulation.scene import Scene

Array = NDArray[np.float64]

STYLES = ('drive', 'walk', 'turn', 'sideways', 'wait')
_SHARES = (0.42, 0.25, 0.13, 0.12, 0.08)
MARGIN_M = 0.38


@dataclass(frozen=True)
class Motion:
    """How the camera of a clip moves: metres, metres/s, radians/s, radians, hertz."""

    style: str
    height_m: float
    speed: float
    turn: float
    pitch: float
    roll: float
    bob_m: float
    step_hz: float
    shake: float


def draw_motion(rng: np.random.Generator, indoor: bool) -> Motion:
    """Return a random motion of a wheeled robot, a walking robot or a hand-held camera."""
    style = str(rng.choice(STYLES, p=_SHARES))
    wheeled = style in ('drive', 'turn') or (style == 'wait' and rng.random() < 0.5)
    low, high = (0.15, 1.3) if wheeled else (0.4, 1.8)
    height = float(math.exp(rng.uniform(math.log(low), math.log(high))))
    top_speed = (1.0 if indoor else 2.5) if wheeled else 1.5
    speed = float(rng.uniform(0.15, 1.0)) * top_speed
    downward = float(rng.normal(0.12 * (height - 0.5), 0.08))
    return Motion(
        style=style,
        height_m=height,
        speed=0.0 if style in ('turn', 'wait') else speed,
        turn=0.0 if style == 'wait' else float(rng.uniform(0.15, 1.0)),
        pitch=float(np.clip(downward, -0.25, 0.45)),
        roll=float(rng.normal(0.0, 0.015)),
        bob_m=0.0 if wheeled else float(rng.uniform(0.005, 0.035)),
        step_hz=float(rng.uniform(1.3, 2.3)),
        shake=float(rng.choice([0.0005, 0.002, 0.006])),
    )


def camera_path(
    rng: np.random.Generator, scene: Scene, motion: Motion, times_s: Array
) -> Array | None:
    """
    Return camera-to-world poses (T, 4, 4), or None if no free start position was found.

    The camera frame is optical: x right, y down, z forward.
    """
    start = scene.free.draw_point(rng, MARGIN_M + 0.1, 1.0 if scene.indoor else 0.5)
    if start is None:
        return None
    plan = _plan(rng, scene, motion, start, times_s)
    return _poses(rng, scene, motion, plan, times_s)


def _plan(
    rng: np.random.Generator,
    scene: Scene,
    motion: Motion,
    start: tuple[float, float],
    times_s: Array,
) -> Array:
    """Return x, y, yaw (T, 3) of a robot that follows random commands and avoids obstacles."""
    x, y = start
    yaw, speed, turn = float(rng.uniform(-math.pi, math.pi)), motion.speed, 0.0
    sideways = math.pi / 2 * float(rng.choice([-1, 1])) if motion.style == 'sideways' else 0.0
    command_speed, command_turn, until = motion.speed, 0.0, 0.0
    rows = np.empty((len(times_s), 3))
    step = float(times_s[1] - times_s[0]) if len(times_s) > 1 else 0.1
    for row, time in enumerate(times_s):
        rows[row] = x, y, yaw
        if time >= until:
            until = float(time + rng.uniform(0.6, 3.0))
            command_speed, command_turn = _command(rng, motion)
        target_speed, target_turn = _avoid_obstacles(
            scene, (x, y, yaw + sideways), command_speed, command_turn
        )
        smoothing = 1.0 - math.exp(-step / 0.3)
        speed += (target_speed - speed) * smoothing
        turn += (target_turn - turn) * smoothing
        yaw += turn * step
        heading = yaw + sideways
        next_x, next_y = x + speed * step * math.cos(heading), y + speed * step * math.sin(heading)
        if scene.free.clearance(next_x, next_y) >= MARGIN_M:
            x, y = next_x, next_y
        else:
            speed = 0.0
    return rows


def _command(rng: np.random.Generator, motion: Motion) -> tuple[float, float]:
    if motion.style == 'turn':
        return 0.0, motion.turn * float(rng.choice([-1.0, 1.0, 1.0, 0.0]))
    stop = rng.random() < 0.12
    speed = 0.0 if stop else motion.speed * float(rng.uniform(0.5, 1.0))
    if motion.style == 'drive' and rng.random() < 0.05:
        speed = -0.5 * speed
    return speed, motion.turn * float(rng.normal(0.0, 0.45))


def _avoid_obstacles(
    scene: Scene, position: tuple[float, float, float], speed: float, turn: float
) -> tuple[float, float]:
    """Return the commanded speed and turn rate, slower and turning if the path is not free."""
    if speed <= 0.0:
        return speed, turn
    x, y, yaw = position

    def clearance(angle: float, distance: float) -> float:
        return scene.free.clearance(
            x + distance * math.cos(yaw + angle), y + distance * math.sin(yaw + angle)
        )

    distance = 0.5 + 0.6 * speed
    if min(clearance(0.0, distance), clearance(0.0, 0.6 * distance)) >= MARGIN_M:
        return speed, turn
    left, right = clearance(0.7, distance), clearance(-0.7, distance)
    return 0.35 * speed, 0.9 if left > right else -0.9


def _smooth_noise(rng: np.random.Generator, count: int, columns: int, width: int) -> Array:
    """Return noise (count, columns) with standard deviation 1, averaged over `width` samples."""
    white = rng.standard_normal((count + width - 1, columns))
    kernel = np.ones(width) / math.sqrt(width)
    return np.stack([np.convolve(white[:, c], kernel, 'valid') for c in range(columns)], axis=1)


def _poses(
    rng: np.random.Generator, scene: Scene, motion: Motion, plan: Array, times_s: Array
) -> Array:
    count = len(times_s)
    shake = _smooth_noise(rng, count, 3, 2) * motion.shake
    drift = _smooth_noise(rng, count, 3, max(2, min(count, 12))) * (0.25 * motion.shake + 0.002)
    stride = 2 * math.pi * motion.step_hz * times_s + float(rng.uniform(0, 6.28))
    moving = (
        np.minimum(1.0, np.hypot(*np.gradient(plan[:, :2], axis=0).T) * 60 + 0.1)
        if count > 1
        else 1.0
    )
    bob = motion.bob_m * np.sin(stride) * moving
    sway = motion.bob_m * 0.6 * np.sin(stride / 2) * moving
    poses = np.tile(np.eye(4), (count, 1, 1))
    for row, (x, y, yaw) in enumerate(plan):
        roll, pitch, turn = shake[row] + drift[row] + (motion.roll, motion.pitch, 0.0)
        pitch -= _slope(scene, x, y, yaw)
        pitch, roll = pitch + 0.3 * bob[row], roll + 0.5 * sway[row]
        poses[row, :3, :3] = camera_rotation(yaw + turn, pitch, roll)
        offset = (-math.sin(yaw) * sway[row], math.cos(yaw) * sway[row])
        ground = scene.ground(x, y)
        poses[row, :3, 3] = x + offset[0], y + offset[1], ground + motion.height_m + bob[row]
    return poses


def _slope(scene: Scene, x: float, y: float, yaw: float) -> float:
    step = (0.3 * math.cos(yaw), 0.3 * math.sin(yaw))
    front, back = (
        scene.ground(x + step[0], y + step[1]),
        scene.ground(x - step[0], y - step[1]),
    )
    return math.atan2(front - back, 0.6)


def camera_rotation(yaw: float, pitch: float, roll: float) -> Array:
    """Return the camera's axes as columns; positive pitch is down, positive roll is right."""
    cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    forward = np.array([cy * cp, sy * cp, -sp])
    right = np.array([sy, -cy, 0.0])
    down = np.cross(forward, right)
    cr, sr = math.cos(roll), math.sin(roll)
    return np.stack([cr * right + sr * down, cr * down - sr * right, forward], axis=1)
