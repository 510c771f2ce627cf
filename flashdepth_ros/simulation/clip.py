"""Generate video with true depth from a seed: `simulate_clip`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
import math
import os
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.errors import SimulationError
from flashdepth_ros.simulation.effects import CameraEffects, add_haze, image_motion_px
from flashdepth_ros.simulation.path_search import PREVIEW_PX, find_path, find_view
from flashdepth_ros.simulation.photographs import Photographs
from flashdepth_ros.simulation.scene_renderer import SceneRenderer
from flashdepth_ros.simulation.varied_effects import VariedEffects
from flashdepth_ros.simulation.varied_world import make_varied_scene
from flashdepth_ros.simulation.variety import FOV_DEG, NO_VARIETY, Variety
from flashdepth_ros.simulation.world import make_scene

Array = NDArray[np.float64]


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
    :param variety: which scenes are varied; those have a field of view of `variety.FOV_DEG`.
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
    variety: Variety = NO_VARIETY

    def is_varied(self, seed: int) -> bool:
        """Return whether the clip of a seed shows a varied scene."""
        return self.variety.includes(seed // self.clips_per_scene)


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
        effects = self._effects()
        for index, (time, pose) in enumerate(zip(self.times_s, self.poses, strict=True)):
            renderer = _renderer_of(self.seed, settings)
            rgb, depth = renderer.render(float(time), pose, camera, settings.supersampling)
            scene = renderer.scene
            if scene.haze_per_m > 0:
                rgb = add_haze(rgb, depth, scene.haze_per_m, scene.sky.horizon)
            if settings.effects:
                dx, dy = image_motion_px(self.poses[max(0, index - 1)], pose, camera.fx)
                rgb = effects.apply(rgb, (dx * settings.rate_hz, dy * settings.rate_hz))
            yield SimulatedFrame(rgb, depth, round(time * 1e9), pose)

    def _effects(self) -> CameraEffects | VariedEffects:
        size = (self.intrinsics.width, self.intrinsics.height)
        if self.settings.is_varied(self.seed):
            variety = self.settings.variety
            photographs = Photographs(variety.textures, variety.tell)
            return VariedEffects(self.seed, size, photographs)
        return CameraEffects(self.seed, size)


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
    renderer, varied = _renderer_of(seed, settings), settings.is_varied(seed)
    rng = np.random.default_rng([0xC11B, seed])
    camera = _draw_camera(rng, settings, FOV_DEG if varied else settings.fov_deg)
    offset = float(rng.uniform(0.0, 60.0))
    times = np.arange(settings.frames) / settings.rate_hz
    search = find_view if varied else find_path
    poses = search(rng, renderer, camera, times, offset)
    if poses is None:
        raise SimulationError(
            f'seed {seed}: no camera path found; use another seed or fewer frames'
        )
    return Clip(seed, settings, camera, times + offset, poses)


def _draw_camera(
    rng: np.random.Generator, settings: ClipSettings, fov_deg: tuple[float, float]
) -> Intrinsics:
    low, high = fov_deg
    fov = math.radians(rng.triangular(low, (low + high) / 2, high) if high > low else low)
    focal = settings.width / 2 / math.tan(fov / 2)
    centre = ((settings.width - 1) / 2, (settings.height - 1) / 2)
    return Intrinsics(settings.width, settings.height, focal, focal, *centre)


class _SceneKey(NamedTuple):
    """What a scene depends on; `variety` is None for a typical one."""

    seed: int
    kind: str
    shadow_share: float
    variety: Variety | None


def _renderer_of(seed: int, settings: ClipSettings) -> SceneRenderer:
    variety = settings.variety if settings.is_varied(seed) else None
    scene_seed = seed // settings.clips_per_scene
    key = _SceneKey(scene_seed, settings.kind, settings.shadow_share, variety)
    size = (settings.width * settings.supersampling, settings.height * settings.supersampling)
    width, height = max(size[0], PREVIEW_PX[0]), max(size[1], PREVIEW_PX[1])
    return _scene_renderer(key, width, height, os.getpid())


@lru_cache(maxsize=2)
def _scene_renderer(key: _SceneKey, width: int, height: int, _process_id: int) -> SceneRenderer:
    if key.variety is None:
        scene = make_scene(key.seed, key.kind, key.shadow_share)
    else:
        scene = make_varied_scene(key.seed, key.kind, key.shadow_share, key.variety)
    return SceneRenderer(scene, width, height)
