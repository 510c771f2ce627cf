"""Varied scenes: their share, materials and views."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from flashdepth_ros.errors import SimulationError
from flashdepth_ros.simulation.clip import ClipSettings, plan_clip, simulate_clip
from flashdepth_ros.simulation.materials import Materials, repainted
from flashdepth_ros.simulation.mesh import box
from flashdepth_ros.simulation.photographs import Photograph, Photographs
from flashdepth_ros.simulation.scene import FreeSpace, Scene, Sky
from flashdepth_ros.simulation.scene_renderer import SceneRenderer
from flashdepth_ros.simulation.surfaces import Surface
from flashdepth_ros.simulation.variety import Variety
from flashdepth_ros.simulation.views import EYE_M, HIGHEST_M, LOWEST_M, ROLL_DEG, draw_view
from flashdepth_ros.simulation.world import make_scene

SMALL = ClipSettings(width=84, height=64, frames=2, rate_hz=2.0, clips_per_scene=1)
SKY = Sky((0.2, 0.4, 0.9), (0.8, 0.9, 1.0), 0.5, 0)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for index in range(4):
        (tmp_path / f'{index % 2}').mkdir(exist_ok=True)
        image = rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f'{index % 2}' / f'{index}.png'), image)
    (tmp_path / 'README.md').write_text('not a photograph')
    return tmp_path


def test_the_share_of_varied_scenes_is_as_asked_for() -> None:
    seeds = range(2000)
    chosen = {
        share: {s for s in seeds if Variety(share).includes(s)} for share in (0, 0.2, 0.6, 1)
    }
    assert not chosen[0]
    assert len(chosen[0.2]) == pytest.approx(400, abs=60)
    assert chosen[0.2] < chosen[0.6] < chosen[1] == set(seeds)


@pytest.mark.usefixtures('gl')
def test_typical_scenes_do_not_depend_on_variety(photographs: Path) -> None:
    seed = next(s for s in range(9) if not Variety(0.5).includes(s))
    varied = replace(SMALL, variety=Variety(0.5, photographs))
    for one, two in zip(simulate_clip(seed, SMALL), simulate_clip(seed, varied), strict=True):
        assert one.rgb.tobytes() == two.rgb.tobytes()
        assert one.depth.tobytes() == two.depth.tobytes()


@pytest.mark.usefixtures('gl')
def test_the_same_seed_and_folder_give_the_same_varied_clip(photographs: Path) -> None:
    settings = replace(SMALL, variety=Variety(1.0, photographs))
    first, other, again = (list(simulate_clip(seed, settings)) for seed in (3, 4, 3))
    for one, two in zip(first, again, strict=True):
        assert one.rgb.tobytes() == two.rgb.tobytes()
        assert one.depth.tobytes() == two.depth.tobytes()
    assert first[0].rgb.tobytes() != other[0].rgb.tobytes()


@pytest.mark.usefixtures('gl')
def test_varied_views_are_clear() -> None:
    settings = replace(SMALL, variety=Variety(1.0))
    for seed in range(6):
        clip = plan_clip(seed, settings)
        fov = 2 * np.degrees(np.arctan(clip.intrinsics.width / 2 / clip.intrinsics.fx))
        assert 45.0 <= fov <= 100.0
        for frame in clip.frames():
            assert (frame.depth < 0.2).mean() < 0.2
            assert np.isfinite(frame.depth).mean() > 0.15


def test_repainting_replaces_the_share_of_surfaces_and_leaves_shapes_and_lamps() -> None:
    scene = make_scene(5, 'indoor', 0.0)
    lamps = {surface for surface, _ in scene.parts if surface.glow > 0.5}
    for share, least, most in ((0.0, 0.0, 0.0), (0.5, 0.2, 0.8), (1.0, 1.0, 1.0)):
        rng = np.random.default_rng(0)
        new = repainted(rng, scene, Materials(rng, Photographs()), share, motley=False)
        pairs = {(a, b) for (a, _), (b, _) in zip(scene.parts, new.parts, strict=True)}
        assert len(pairs) == len({surface for surface, _ in scene.parts})
        changed = [a != b for a, b in pairs if a not in lamps]
        assert least <= np.mean(changed) <= most
        assert all((lamp, lamp) in pairs for lamp in lamps)
        assert all(a is b for (_, a), (_, b) in zip(scene.parts, new.parts, strict=True))


def test_materials_show_the_photographs_of_the_folder(photographs: Path) -> None:
    rng = np.random.default_rng(1)
    materials = Materials(rng, Photographs(photographs))
    images = {materials.pick().image for _ in range(200)}
    shown = {image.path for image in images if isinstance(image, Photograph)}
    assert len(shown) > 1
    assert shown <= set(photographs.rglob('*.png'))
    assert isinstance(materials.picture(0.5).image, Photograph)
    assert materials.picture(0.5).tile_m == 0.5


def test_a_photograph_is_upright_in_texture_space(tmp_path: Path) -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[:10] = 255
    cv2.imwrite(str(tmp_path / 'top.png'), image)
    pixels = Photograph(tmp_path / 'top.png').pixels()
    assert pixels[-10:].min() == 255
    assert pixels[:128].max() == 0


def test_folders_and_files_that_are_no_photographs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match='no photographs'):
        Photographs(tmp_path)
    (tmp_path / 'broken.png').write_bytes(b'nothing')
    with pytest.raises(SimulationError, match='remove or convert'):
        Photograph(tmp_path / 'broken.png').pixels()


@pytest.mark.usefixtures('gl')
def test_a_camera_inside_an_object_sees_its_back() -> None:
    scene = Scene(FreeSpace(1, 1, 0.1), SKY, False)
    scene.add([(Surface(), box((1.0, 1.0, 1.0)))])
    renderer = SceneRenderer(scene, 64, 48)
    camera = plan_clip(0, SMALL).intrinsics.resized(64, 48)
    pose = np.eye(4)
    assert renderer.back_share(0.0, pose, camera) > 0.99
    pose[2, 3] = -3.0
    assert renderer.back_share(0.0, pose, camera) == 0.0
    renderer.close()


def test_views_are_held_at_plausible_heights_and_angles() -> None:
    scene = make_scene(5, 'indoor', 0.0)
    rng, rolls, heights = np.random.default_rng(0), [], []
    for _ in range(200):
        poses = draw_view(rng, scene, np.array([0.0, 0.5]))
        if poses is None:
            continue
        down = poses[0, :3, 1]
        right = poses[0, :3, 0]
        rolls.append(np.degrees(np.arctan2(-right[2], -down[2])))
        heights.append(poses[0, 2, 3])
        np.testing.assert_allclose(poses[0, :3, :3] @ poses[0, :3, :3].T, np.eye(3), atol=1e-9)
        assert np.linalg.norm(poses[1, :3, 3] - poses[0, :3, 3]) < 1.5
    assert len(rolls) > 100
    assert np.abs(rolls).max() < ROLL_DEG + 3
    assert np.abs(rolls).max() > 15
    assert min(heights) >= LOWEST_M
    assert max(heights) <= HIGHEST_M
    assert min(heights) < EYE_M[0] + 0.2


def test_many_views_outdoors_look_along_the_free_way() -> None:
    lane = Scene(FreeSpace(30.0, 2.0, 0.1), SKY, False)
    lane.add([(Surface(), box((60.0, 4.0, 0.1), (0.0, 0.0, -0.1)))])
    rng, along = np.random.default_rng(0), []
    for _ in range(300):
        poses = draw_view(rng, lane, np.array([0.0]))
        if poses is not None:
            ahead = poses[0, :3, 2]
            along.append(abs(ahead[0]) > 0.9 and abs(ahead[2]) < 0.25)
    assert len(along) > 200
    assert np.mean(along) > 0.35  # 0.2 in any direction, 0.4 more with views along the lane.
