"""Search for a camera path with a useful view, checked on small previews of the scene."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.simulation.camera_path import camera_path, draw_motion
from flashdepth_ros.simulation.scene_renderer import SceneRenderer
from flashdepth_ros.simulation.views import draw_view

Array = NDArray[np.float64]

PREVIEW_PX = (64, 48)
MAX_ATTEMPTS = 24
_PREVIEW_STEP = 5
_VIEW_SHARE = 0.85
_SKY_M = 1e3
_MAX_VIEWS = 60
_RICH_SHARE = 0.85


def find_path(
    rng: np.random.Generator,
    renderer: SceneRenderer,
    camera: Intrinsics,
    times_s: Array,
    offset_s: float,
) -> Array | None:
    """Return poses (T, 4, 4) of a robot's camera; the scene's time is `times_s` + `offset_s`."""
    for attempt in range(MAX_ATTEMPTS):
        motion = draw_motion(rng, renderer.scene.indoor)
        poses = camera_path(rng, renderer.scene, motion, times_s)
        strictness = 1.2 if attempt < MAX_ATTEMPTS // 2 else 0.6
        if poses is not None and _is_useful(
            renderer, camera, times_s + offset_s, poses, strictness
        ):
            return poses
    return None


def find_view(
    rng: np.random.Generator,
    renderer: SceneRenderer,
    camera: Intrinsics,
    times_s: Array,
    offset_s: float,
) -> Array | None:
    """Return poses (T, 4, 4) of a hand-held camera, or sometimes a robot's, in a varied scene."""
    scene = renderer.scene
    rich = bool(rng.random() < _RICH_SHARE)
    for attempt in range(_MAX_VIEWS):
        if rng.random() < _VIEW_SHARE:
            poses = draw_view(rng, scene, times_s)
        else:
            poses = camera_path(rng, scene, draw_motion(rng, scene.indoor), times_s)
        least_edges = 0.02 if rich and attempt < _MAX_VIEWS // 2 else 0.0
        if poses is not None and _is_clear(
            renderer, camera, times_s + offset_s, poses, least_edges
        ):
            return poses
    return None


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


def _is_clear(
    renderer: SceneRenderer, camera: Intrinsics, times_s: Array, poses: Array, least_edges: float
) -> bool:
    """
    Return whether the camera is outside all objects and sees more than sky or one plane.

    :param least_edges: share of pixels at depth edges that the first frame needs.
    """
    preview = camera.resized(*PREVIEW_PX)
    for row in _checked_rows(len(poses)):
        rgb, depth = renderer.render(float(times_s[row]), poses[row], preview)
        low, high = np.quantile(np.minimum(depth, _SKY_M), (0.05, 0.95))
        too_near = depth.min() < 0.1 or (depth < 0.2).mean() > 0.1
        empty = np.isinf(depth).mean() > 0.75 or high < 1.25 * low
        too_plain = row == 0 and _edge_share(depth) < least_edges
        if too_near or empty or too_plain or rgb.mean() < 12.0:
            return False
        if renderer.back_share(float(times_s[row]), poses[row], preview) > 0.004:
            return False
    return True


def _edge_share(depth: NDArray[np.float32]) -> float:
    """Return the share of pixels whose right neighbour is a tenth nearer or farther."""
    step = np.diff(np.log(np.minimum(depth, _SKY_M)), axis=1)
    return float((np.abs(step) > 0.1).mean())


def _checked_rows(count: int) -> list[int]:
    return sorted({*range(0, count, _PREVIEW_STEP), count - 1})
