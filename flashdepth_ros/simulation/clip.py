"""Video with true depth from a seed: `simulate_clip`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
import math
import os

import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.errors import SimulationError
from flashdepth_ros.simulation.camera_path import camera_path, draw_gait
from flashdepth_ros.simulation.effects import Effects, haze, sweep_px
from flashdepth_ros.simulation.stage import Stage
from flashdepth_ros.simulation.world import make_scene

Array = NDArray[np.float64]

PREVIEW_PX = (64, 48)
_PREVIEW_STEP = 5
_TRIES = 24


@dataclass(frozen=True)
class SimulatedFrame:
    """
    One frame: rgb (H, W, 3) uint8; depth (H, W) float32, metres Z, +Inf = sky; pose (4, 4).

    The pose is camera-to-world, optical convention (x right, y down, z forward), world z up.
    """

    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32]
    stamp_ns: int
    pose: Array


@dataclass(frozen=True)
class ClipSettings:
    """
    What to film.

    :param kind: 'indoor', 'outdoor', 'mixed' or 'any'.
    :param fov_deg: range of the horizontal field of view; most clips lie in its middle.
    :param supersampling: colour rays a pixel along each axis.
    :param shadow_share: chance that a scene's main light casts shadows (twice the render time).
    :param clips_per_scene: that many successive seeds film one scene, which saves building it.
    :param effects: exposure, noise, blur and JPEG as of a real camera.
    """

    width: int = 224
    height: int = 168
    frames: int = 48
    rate_hz: float = 15.0
    kind: str = 'any'
    fov_deg: tuple[float, float] = (50.0, 110.0)
    supersampling: int = 2
    shadow_share: float = 0.4
    clips_per_scene: int = 4
    effects: bool = True


@dataclass(frozen=True)
class Clip:
    """A clip ready to be filmed: its camera and its path; iterate `frames()` once or often."""

    seed: int
    settings: ClipSettings
    intrinsics: Intrinsics
    times_s: Array
    poses: Array

    def frames(self) -> Iterator[SimulatedFrame]:
        """Film it; the same clip gives the same bytes on the same machine."""
        settings, camera = self.settings, self.intrinsics
        effects = Effects(self.seed, (camera.width, camera.height))
        for index, (time, pose) in enumerate(zip(self.times_s, self.poses, strict=True)):
            stage = _stage(*_stage_key(self.seed, settings))
            rgb, depth = stage.film(float(time), pose, camera, settings.supersampling)
            if stage.scene.haze_per_m > 0:
                rgb = haze(rgb, depth, stage.scene.haze_per_m, stage.scene.sky.horizon)
            if settings.effects:
                dx, dy = sweep_px(self.poses[max(0, index - 1)], pose, camera.fx)
                rgb = effects.apply(rgb, (dx * settings.rate_hz, dy * settings.rate_hz))
            yield SimulatedFrame(rgb, depth, round(time * 1e9), pose)


def simulate_clip(seed: int, settings: ClipSettings) -> Iterator[SimulatedFrame]:
    """
    Return the frames of the clip of a seed; `plan_clip` also tells the intrinsics.

    :raises SimulationError: no off-screen OpenGL, or no path was found in the scene.
    """
    return plan_clip(seed, settings).frames()


def plan_clip(seed: int, settings: ClipSettings) -> Clip:
    """
    Return the clip of a seed, its camera path checked against the scene's true depth.

    :raises SimulationError: no off-screen OpenGL, or no path was found in the scene.
    """
    stage = _stage(*_stage_key(seed, settings))
    rng = np.random.default_rng([0xC11B, seed])
    camera = _draw_camera(rng, settings)
    offset = float(rng.uniform(0.0, 60.0))
    times = np.arange(settings.frames) / settings.rate_hz
    for attempt in range(_TRIES):
        gait = draw_gait(rng, stage.scene.indoor)
        poses = camera_path(rng, stage.scene, gait, times)
        picky = 1.2 if attempt < _TRIES // 2 else 0.6
        if poses is not None and _is_worth_filming(stage, camera, times + offset, poses, picky):
            return Clip(seed, settings, camera, times + offset, poses)
    raise SimulationError(
        f'seed {seed}: no camera path in {_TRIES} tries; take another seed, or fewer frames'
    )


def _draw_camera(rng: np.random.Generator, settings: ClipSettings) -> Intrinsics:
    low, high = settings.fov_deg
    fov = math.radians(rng.triangular(low, (low + high) / 2, high) if high > low else low)
    focal = settings.width / 2 / math.tan(fov / 2)
    middle = ((settings.width - 1) / 2, (settings.height - 1) / 2)
    return Intrinsics(settings.width, settings.height, focal, focal, *middle)


def _is_worth_filming(
    stage: Stage, camera: Intrinsics, times_s: Array, poses: Array, picky: float
) -> bool:
    """Look along the path in small pictures: not into walls, not into things, not into the sky."""
    preview = camera.resized(*PREVIEW_PX)
    medians, contents = [], []
    for row in range(0, len(poses), _PREVIEW_STEP):
        depth = stage.look(float(times_s[row]), poses[row], preview)
        if (depth < 0.25).mean() > 0.03 or np.isinf(depth).mean() > 0.75:
            return False
        medians.append(float(np.median(depth)))
        contents.append(float((depth[: PREVIEW_PX[1] // 2] < 40.0).mean()))
    roomy = float(np.median(medians)) > picky and min(medians) > 0.4
    return roomy and float(np.mean(contents)) > 0.12 * picky


def _stage_key(seed: int, settings: ClipSettings) -> tuple[int, str, float, int, int, int]:
    scene_seed = seed // settings.clips_per_scene
    size = (settings.width * settings.supersampling, settings.height * settings.supersampling)
    width, height = max(size[0], PREVIEW_PX[0]), max(size[1], PREVIEW_PX[1])
    return scene_seed, settings.kind, settings.shadow_share, width, height, os.getpid()


@lru_cache(maxsize=2)
def _stage(
    scene_seed: int, kind: str, shadow_share: float, width: int, height: int, _process_id: int
) -> Stage:
    return Stage(make_scene(scene_seed, kind, shadow_share), width, height)
