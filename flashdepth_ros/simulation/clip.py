"""Generate video with true depth from a seed: `simulate_clip`."""

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
from flashdepth_ros.simulation.camera_path import camera_path, draw_motion
from flashdepth_ros.simulation.effects import CameraEffects, add_haze, image_motion_px
from flashdepth_ros.simulation.scene_renderer import SceneRenderer
from flashdepth_ros.simulation.world import make_scene

Array = NDArray[np.float64]

PREVIEW_PX = (64, 48)
_PREVIEW_STEP = 5
_MAX_ATTEMPTS = 24


@dataclass(frozen=True)
class SimulatedFrame:
    """
    One frame: rgb (H, W, 3) uint8; depth (H, W) float32, Z in metres, +Inf = sky; pose (4, 4).

    The pose is camera-to-world; optical camera frame (x right, y down, z forward), world z up.
    """

    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32]
    stamp_ns: int
    pose: Array


@dataclass(frozen=True)
class ClipSettings:
    """
    The parameters of a clip.

    :param kind: 'indoor', 'outdoor', 'mixed' or 'any'.
    :param fov_deg: range of the horizontal field of view; triangular distribution.
    :param supersampling: colour samples per pixel along each axis.
    :param shadow_share: probability of shadows of the main light (twice the render time).
    :param clips_per_scene: number of successive seeds that share a scene, to save build time.
    :param effects: simulate exposure, noise, blur and JPEG of a real camera.
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
    """The camera and the path of a clip; `frames()` renders it."""

    seed: int
    settings: ClipSettings
    intrinsics: Intrinsics
    times_s: Array
    poses: Array

    def frames(self) -> Iterator[SimulatedFrame]:
        """Render the frames; the same clip gives the same bytes on the same computer."""
        settings, camera = self.settings, self.intrinsics
        effects = CameraEffects(self.seed, (camera.width, camera.height))
        for index, (time, pose) in enumerate(zip(self.times_s, self.poses, strict=True)):
            renderer = _scene_renderer(*_renderer_key(self.seed, settings))
            rgb, depth = renderer.render(float(time), pose, camera, settings.supersampling)
            scene = renderer.scene
            if scene.haze_per_m > 0:
                rgb = add_haze(rgb, depth, scene.haze_per_m, scene.sky.horizon)
            if settings.effects:
                dx, dy = image_motion_px(self.poses[max(0, index - 1)], pose, camera.fx)
                rgb = effects.apply(rgb, (dx * settings.rate_hz, dy * settings.rate_hz))
            yield SimulatedFrame(rgb, depth, round(time * 1e9), pose)


def simulate_clip(seed: int, settings: ClipSettings) -> Iterator[SimulatedFrame]:
    """
    Return the frames of the clip of a seed; use `plan_clip` to get the intrinsics as well.

    :raises SimulationError: there is no off-screen OpenGL, or no camera path was found.
    """
    return plan_clip(seed, settings).frames()


def plan_clip(seed: int, settings: ClipSettings) -> Clip:
    """
    Return the clip of a seed, its camera path checked against the scene's true depth.

    :raises SimulationError: there is no off-screen OpenGL, or no camera path was found.
    """
    renderer = _scene_renderer(*_renderer_key(seed, settings))
    rng = np.random.default_rng([0xC11B, seed])
    camera = _draw_camera(rng, settings)
    offset = float(rng.uniform(0.0, 60.0))
    times = np.arange(settings.frames) / settings.rate_hz
    for attempt in range(_MAX_ATTEMPTS):
        motion = draw_motion(rng, renderer.scene.indoor)
        poses = camera_path(rng, renderer.scene, motion, times)
        strictness = 1.2 if attempt < _MAX_ATTEMPTS // 2 else 0.6
        if poses is not None and _is_useful(renderer, camera, times + offset, poses, strictness):
            return Clip(seed, settings, camera, times + offset, poses)
    raise SimulationError(
        f'seed {seed}: no camera path found in {_MAX_ATTEMPTS} attempts; '
        'use another seed or fewer frames'
    )


def _draw_camera(rng: np.random.Generator, settings: ClipSettings) -> Intrinsics:
    low, high = settings.fov_deg
    fov = math.radians(rng.triangular(low, (low + high) / 2, high) if high > low else low)
    focal = settings.width / 2 / math.tan(fov / 2)
    centre = ((settings.width - 1) / 2, (settings.height - 1) / 2)
    return Intrinsics(settings.width, settings.height, focal, focal, *centre)


def _is_useful(
    renderer: SceneRenderer, camera: Intrinsics, times_s: Array, poses: Array, strictness: float
) -> bool:
    """Return whether small previews show enough scene: no close surfaces, not only sky."""
    preview = camera.resized(*PREVIEW_PX)
    medians, near_shares = [], []
    for row in range(0, len(poses), _PREVIEW_STEP):
        depth = renderer.render_depth(float(times_s[row]), poses[row], preview)
        if (depth < 0.25).mean() > 0.03 or np.isinf(depth).mean() > 0.75:
            return False
        medians.append(float(np.median(depth)))
        near_shares.append(float((depth[: PREVIEW_PX[1] // 2] < 40.0).mean()))
    enough_space = float(np.median(medians)) > strictness and min(medians) > 0.4
    return enough_space and float(np.mean(near_shares)) > 0.12 * strictness


def _renderer_key(seed: int, settings: ClipSettings) -> tuple[int, str, float, int, int, int]:
    scene_seed = seed // settings.clips_per_scene
    size = (settings.width * settings.supersampling, settings.height * settings.supersampling)
    width, height = max(size[0], PREVIEW_PX[0]), max(size[1], PREVIEW_PX[1])
    return scene_seed, settings.kind, settings.shadow_share, width, height, os.getpid()


@lru_cache(maxsize=2)
def _scene_renderer(
    scene_seed: int, kind: str, shadow_share: float, width: int, height: int, _process_id: int
) -> SceneRenderer:
    return SceneRenderer(make_scene(scene_seed, kind, shadow_share), width, height)
