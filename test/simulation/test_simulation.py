from collections.abc import Iterator
import ctypes.util
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.errors import SimulationError
from flashdepth_ros.simulation.clip import ClipSettings, plan_clip, simulate_clip
from flashdepth_ros.simulation.mesh import sheet
from flashdepth_ros.simulation.renderer import gl_backend
from flashdepth_ros.simulation.scene import FreeSpace, Scene, Sky
from flashdepth_ros.simulation.scene_renderer import SceneRenderer
from flashdepth_ros.simulation.surfaces import Surface
from flashdepth_ros.simulation.world import KINDS, make_scene

CAMERA = Intrinsics(80, 60, 55.0, 57.0, 36.5, 31.5)
SMALL = ClipSettings(width=96, height=72, frames=8, rate_hz=10.0)
BRICK = Surface('brick', 0)


pytestmark = pytest.mark.usefixtures('gl')


@pytest.fixture
def walls() -> Iterator[SceneRenderer]:
    """A floor at z = 0, a wall at y = 6 for x < 0, another at y = 60 for x > 0, and sky."""
    scene = Scene(FreeSpace(1, 1, 0.1), Sky((0.2, 0.4, 0.9), (0.8, 0.9, 1.0), 0.5, 0), False)
    scene.add([(BRICK, sheet((-90, -90, 0), (180, 0, 0), (0, 180, 0)))])
    scene.add([(BRICK, sheet((-90, 6, 0), (90, 0, 0), (0, 0, 30)))])
    scene.add([(BRICK, sheet((0, 60, 0), (90, 0, 0), (0, 0, 40)))])
    renderer = SceneRenderer(scene, 3 * CAMERA.width, 3 * CAMERA.height)
    yield renderer
    renderer.close()


def camera_pose(yaw: float, pitch: float, height: float) -> np.ndarray:
    """Return the pose of a camera that looks along +y, rotated by yaw (left) and pitch (down)."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    forward, right = np.array([-sy * cp, cy * cp, -sp]), np.array([cy, sy, 0.0])
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[2, 3] = height
    return pose


def rays(camera: Intrinsics, pose: np.ndarray) -> np.ndarray:
    """Return world directions (H, W, 3) whose length along the optical axis is 1."""
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    return np.stack([x, y, np.ones_like(x)], axis=-1) @ pose[:3, :3].T


def true_depth(camera: Intrinsics, pose: np.ndarray) -> np.ndarray:
    """Return the exact Z (H, W) of the scene with walls."""
    direction, centre = rays(camera, pose), pose[:3, 3]
    with np.errstate(divide='ignore', invalid='ignore'):
        floor = -centre[2] / direction[..., 2]
        near, far = (6 - centre[1]) / direction[..., 1], (60 - centre[1]) / direction[..., 1]
    hits = [np.where(floor > 0, floor, np.inf)]
    for z, left, top in ((near, True, 30), (far, False, 40)):
        point = centre + z[..., None] * direction
        inside = ((point[..., 0] < 0) == left) & (point[..., 2] > 0) & (point[..., 2] < top)
        hits.append(np.where((z > 0) & inside, z, np.inf))
    return np.minimum.reduce(hits)


@pytest.mark.parametrize('sampling', [1, 2, 3])
@pytest.mark.parametrize(
    ('yaw', 'pitch', 'height'), [(0, 0, 1.5), (0.4, 0.3, 2.0), (-0.3, -0.1, 9)]
)
def test_depth_is_metres_along_the_optical_axis(
    walls: SceneRenderer, sampling: int, yaw: float, pitch: float, height: float
) -> None:
    pose = camera_pose(yaw, pitch, height)
    _, depth = walls.render(0.0, pose, CAMERA, sampling)
    expected = true_depth(CAMERA, pose)
    both = np.isfinite(depth) & np.isfinite(expected)
    error = np.abs(depth[both] / expected[both] - 1.0)
    assert depth.dtype == np.float32
    assert (np.isfinite(depth) == np.isfinite(expected)).mean() > 0.97
    assert np.median(error) < 2e-5
    assert np.quantile(error, 0.95) < (1e-3 if sampling % 2 else 3e-2)


def test_depth_is_accurate_to_a_millimetre_at_60_metres(walls: SceneRenderer) -> None:
    _, depth = walls.render(0.0, camera_pose(0.0, 0.0, 9.0), CAMERA)
    wall = depth[CAMERA.height // 2, CAMERA.width * 3 // 4 :]
    np.testing.assert_allclose(wall, 60.0, atol=1e-3)


def test_sky_has_infinite_depth(walls: SceneRenderer) -> None:
    for yaw in (2.5, 3.1, 3.8):
        _, depth = walls.render(0.0, camera_pose(yaw, -0.7, 1.0), CAMERA)
        assert np.isinf(depth).all()


def test_supersampled_depth_does_not_mix_surfaces(walls: SceneRenderer) -> None:
    pose = camera_pose(0.0, 0.0, 9.0)
    for sampling in (2, 3):
        _, depth = walls.render(0.0, pose, CAMERA, sampling)
        row = depth[CAMERA.height // 2]
        on_wall = (np.abs(row - 6.0) < 0.01) | (np.abs(row - 60.0) < 0.01)
        assert on_wall.all()


def test_supersampling_gives_the_same_image(walls: SceneRenderer) -> None:
    pose = camera_pose(0.3, 0.2, 2.0)
    plain, smooth = (walls.render(0.0, pose, CAMERA, n)[0].astype(float) for n in (1, 3))
    shifted = np.roll(plain, 2, axis=1)
    assert smooth.shape == plain.shape
    assert np.abs(smooth - plain).mean() < 0.6 * np.abs(smooth - shifted).mean()


@pytest.mark.parametrize('kind', KINDS)
def test_same_seed_gives_the_same_bytes(kind: str) -> None:
    settings = replace(SMALL, kind=kind, clips_per_scene=1, frames=3)
    first = list(simulate_clip(4, settings))
    other_clip = next(simulate_clip(5, settings))
    plan_clip(6, settings)
    again = list(simulate_clip(4, settings))
    for one, two in zip(first, again, strict=True):
        assert one.rgb.tobytes() == two.rgb.tobytes()
        assert one.depth.tobytes() == two.depth.tobytes()
        assert one.pose.tobytes() == two.pose.tobytes()
        assert one.stamp_ns == two.stamp_ns
    assert other_clip.rgb.tobytes() != first[0].rgb.tobytes()


def test_frames_have_the_documented_format() -> None:
    clip = plan_clip(11, SMALL)
    frames = list(clip.frames())
    assert len(frames) == SMALL.frames
    stamps = np.diff([frame.stamp_ns for frame in frames])
    assert np.abs(stamps - 1e9 / SMALL.rate_hz).max() <= 1
    for frame in frames:
        assert frame.rgb.shape == (72, 96, 3)
        assert frame.rgb.dtype == np.uint8
        assert frame.depth.shape == (72, 96)
        assert (frame.depth > 0).all()
        rotation = frame.pose[:3, :3]
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(rotation) == pytest.approx(1.0)


def reprojection_errors(camera: Intrinsics, before, after) -> np.ndarray:
    """Return the relative errors of a frame's depth after reprojection to the next frame."""
    z = np.where(np.isfinite(before.depth), before.depth, 0.0)[..., None]
    points = before.pose[:3, 3] + z * rays(camera, before.pose)
    local = (points - after.pose[:3, 3]) @ after.pose[:3, :3]
    valid = (z[..., 0] > 0) & (local[..., 2] > 0.1)
    x, y, depth = local[valid].T
    column = np.rint(x / depth * camera.fx + camera.cx).astype(int)
    row = np.rint(y / depth * camera.fy + camera.cy).astype(int)
    inside = (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    return np.abs(after.depth[row[inside], column[inside]] / depth[inside] - 1.0)


@pytest.mark.parametrize('kind', KINDS)
def test_depth_is_consistent_between_frames(kind: str) -> None:
    settings = replace(SMALL, kind=kind, width=160, height=120)
    clip = plan_clip(21, settings)
    frames = list(clip.frames())
    for before, after in pairwise(frames):
        errors = reprojection_errors(clip.intrinsics, before, after)
        assert len(errors) > 0.4 * np.isfinite(before.depth).sum()
        assert np.median(errors) < 0.01


@pytest.mark.parametrize('kind', KINDS)
def test_camera_does_not_enter_objects(kind: str) -> None:
    for seed in range(40, 46):
        for frame in simulate_clip(seed, replace(SMALL, kind=kind, frames=16)):
            assert (frame.depth < 0.2).mean() < 0.3
            assert np.isfinite(frame.depth).any()


def test_effects_change_the_image_but_not_the_depth() -> None:
    plain = list(simulate_clip(3, replace(SMALL, effects=False)))
    with_effects = list(simulate_clip(3, SMALL))
    for one, two in zip(plain, with_effects, strict=True):
        np.testing.assert_array_equal(one.depth, two.depth)
        assert np.abs(one.rgb.astype(int) - two.rgb).mean() > 0.5


def test_clips_of_one_scene_differ_in_camera_and_path() -> None:
    settings = replace(SMALL, clips_per_scene=2)
    one, two = plan_clip(8, settings), plan_clip(9, settings)
    assert one.intrinsics != two.intrinsics
    assert not np.allclose(one.poses[0], two.poses[0])


def test_unknown_kind_is_rejected_with_the_valid_ones() -> None:
    with pytest.raises(
        SimulationError, match="'lunar'; expected one of any, indoor, outdoor, mixed"
    ):
        make_scene(0, 'lunar', 0.0)


def test_missing_off_screen_gl_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ctypes.util, 'find_library', lambda _: None)
    with pytest.raises(SimulationError, match='apt install libegl1 libgl1-mesa-dri libosmesa6'):
        gl_backend()


def test_requested_backend_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes.util, 'find_library', lambda name: name)
    monkeypatch.setenv('MUJOCO_GL', 'osmesa')
    assert gl_backend() == 'osmesa'
    monkeypatch.delenv('MUJOCO_GL')
    assert gl_backend() == 'egl'
