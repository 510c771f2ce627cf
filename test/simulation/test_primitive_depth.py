"""The depth of primitives, thin things and meshes of files equals that of their geometry."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.simulation.materials import Materials, repainted
from flashdepth_ros.simulation.mesh import Mesh, box, ellipsoid, rod
from flashdepth_ros.simulation.mesh_files import read_mesh
from flashdepth_ros.simulation.photographs import Photographs
from flashdepth_ros.simulation.scene import FreeSpace, Scene, Sky
from flashdepth_ros.simulation.scene_renderer import SceneRenderer
from flashdepth_ros.simulation.surfaces import Surface

CAMERA = Intrinsics(96, 72, 80.0, 80.0, 47.5, 35.5)
# Looks along +x from the origin; image x is -y of the world, image y is -z.
POSE = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]], float)
SKY = Sky((0.2, 0.4, 0.9), (0.8, 0.9, 1.0), 0.5, 0)
DISTANCE_M, RADIUS_M = 1.2, 0.3


@pytest.fixture
def render(gl: None) -> Iterator[Callable[[Scene], tuple[np.ndarray, np.ndarray]]]:
    renderers = []

    def rendered(scene: Scene, sampling: int = 1) -> tuple[np.ndarray, np.ndarray]:
        renderers.append(SceneRenderer(scene, 2 * CAMERA.width, 2 * CAMERA.height))
        return renderers[-1].render(0.0, POSE, CAMERA, sampling)

    yield rendered
    for renderer in renderers:
        renderer.close()


def scene_of(*meshes: Mesh) -> Scene:
    scene = Scene(FreeSpace(1, 1, 0.1), SKY, False)
    scene.add((Surface(), mesh) for mesh in meshes)
    return scene


def directions() -> tuple[np.ndarray, np.ndarray]:
    """Return y and z (H, W) of the rays that advance 1 m along the optical axis."""
    u, v = np.meshgrid(np.arange(CAMERA.width), np.arange(CAMERA.height))
    return -(u - CAMERA.cx) / CAMERA.fx, -(v - CAMERA.cy) / CAMERA.fy


def first_root(a: np.ndarray, b: np.ndarray, c: float) -> np.ndarray:
    """Return the smaller root of a x^2 - 2 b x + c, +Inf where there is none."""
    square = b * b - a * c
    return np.where(square >= 0, (b - np.sqrt(np.maximum(square, 0))) / a, np.inf)


def ball_depth() -> np.ndarray:
    y, z = directions()
    ones = np.ones_like(y)
    return first_root(1 + y * y + z * z, DISTANCE_M * ones, DISTANCE_M**2 - RADIUS_M**2)


def pillar_depth() -> np.ndarray:
    y, _ = directions()
    ones = np.ones_like(y)
    return first_root(1 + y * y, DISTANCE_M * ones, DISTANCE_M**2 - RADIUS_M**2)


def block_depth() -> np.ndarray:
    y, z = directions()
    near = DISTANCE_M - RADIUS_M
    inside = (np.abs(y) * near < RADIUS_M) & (np.abs(z) * near < RADIUS_M)
    return np.where(inside, near, np.inf)


PLACE = (DISTANCE_M, 0.0, 0.0)
CASES = {
    'ball': (ellipsoid((RADIUS_M,) * 3, PLACE, 160), ball_depth),
    'pillar': (rod((DISTANCE_M, 0, -5), (DISTANCE_M, 0, 5), RADIUS_M, 160), pillar_depth),
    'block': (box((2 * RADIUS_M,) * 3, PLACE), block_depth),
}


@pytest.mark.parametrize('name', CASES)
def test_depth_is_that_of_the_geometry(render, name) -> None:
    mesh, expected_depth = CASES[name]
    expected = expected_depth()
    _, depth = render(scene_of(mesh))
    assert (np.isfinite(depth) == np.isfinite(expected)).mean() > 0.99
    both = np.isfinite(depth) & np.isfinite(expected)
    error = np.abs(depth[both] - expected[both])
    assert np.median(error) < 1e-3
    assert np.quantile(error, 0.95) < 0.01


def test_depth_does_not_depend_on_materials(render) -> None:
    scene = scene_of(*(mesh for mesh, _ in CASES.values()))
    rgb, depth = render(scene)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        new = repainted(rng, scene, Materials(rng, Photographs()), 1.0, motley=True)
        painted, same = render(new)
        np.testing.assert_allclose(same, depth, rtol=1e-5)
        assert (painted != rgb).any()


@pytest.mark.parametrize('sampling', [1, 2])
def test_thin_things_have_their_own_depth(render, sampling) -> None:
    """A stick 3 px wide before a wall: every pixel is of the stick or of the wall."""
    wide = 3.0 * 0.6 / CAMERA.fx
    stick = box((0.001, wide, 0.4), (0.6, 0.0, 0.0))
    wall = box((0.01, 9.0, 9.0), (2.005, 0.0, 0.0))
    _, depth = render(scene_of(stick, wall), sampling)
    on_stick, on_wall = (np.abs(depth - at) < 0.01 for at in (0.6, 2.0))
    assert (on_stick | on_wall).all()
    width = on_stick[CAMERA.height // 2].sum()
    assert 2 <= width <= 4


@pytest.mark.parametrize('flipped', [False, True])
def test_open_meshes_of_files_are_seen_from_both_sides(render, tmp_path: Path, flipped) -> None:
    corners = [(1.5, -3, -3), (1.5, 3, -3), (1.5, 3, 3), (1.5, -3, 3)]
    face = 'f 4 3 2 1' if flipped else 'f 1 2 3 4'
    lines = [f'v {x} {y} {z}' for x, y, z in corners]
    (tmp_path / 'wall.obj').write_text('\n'.join([*lines, face]))
    scene = Scene(FreeSpace(1, 1, 0.1), SKY, False)
    scene.add(read_mesh(tmp_path / 'wall.obj'))
    _, depth = render(scene)
    np.testing.assert_allclose(depth, 1.5, rtol=1e-4)
