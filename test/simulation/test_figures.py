"""People near the camera: sizes of people, on the ground, noted as sights."""

import numpy as np
import pytest

from flashdepth_ros.simulation.clutter import Stock
from flashdepth_ros.simulation.crowd import FARTHEST_M, NEAREST_M, add_people
from flashdepth_ros.simulation.figures import SEAT_M, TALL_M, figure
from flashdepth_ros.simulation.materials import Materials
from flashdepth_ros.simulation.mesh_folder import MeshFolder
from flashdepth_ros.simulation.photographs import Photographs
from flashdepth_ros.simulation.scene import Sky
from flashdepth_ros.simulation.studio import make_studio
from flashdepth_ros.simulation.things import height_of

SKY = Sky((0.2, 0.4, 0.9), (0.8, 0.9, 1.0), 0.5, 0)
SITTING_M = (SEAT_M[0] + 0.4 * TALL_M[0], SEAT_M[1] + 0.55 * TALL_M[1])


@pytest.fixture(scope='module')
def figures():
    found = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        found.append(figure(rng, Materials(rng, Photographs()), (1.0, 2.0), 0.5))
    return found


def test_people_have_the_height_of_people_standing_or_sitting(figures) -> None:
    sitting = 0
    for mover, eyes in figures:
        tall = height_of(mover.body)
        if tall < TALL_M[0] - 0.05:
            sitting += 1
            assert SITTING_M[0] < tall < SITTING_M[1]
        else:
            # Hats and hair stand above the head.
            assert tall < TALL_M[1] + 0.15
        assert 0.05 < tall - eyes < 0.2
    assert 3 < sitting < 20


def test_people_stand_on_the_ground(figures) -> None:
    for mover, _ in figures:
        low = min(mesh.vertices[:, 2].min() for _, mesh in mover.body.parts)
        assert -0.1 < low < 0.06


def test_people_stay_at_their_place_and_only_move_their_arms(figures) -> None:
    for mover, _ in figures:
        for time in (0.0, 7.3, 60.0):
            assert mover.pose_at(time) == pytest.approx((1.0, 2.0, 0.5))
        assert len(mover.limbs) == 2
        reach = max(np.linalg.norm(m.vertices, axis=1).max() for _, m in mover.limbs[0].parts)
        assert 0.4 < reach < 0.9


def test_normals_have_unit_length(figures) -> None:
    for mover, _ in figures[:5]:
        for _, mesh in mover.body.parts:
            lengths = np.linalg.norm(mesh.normals, axis=1)
            np.testing.assert_allclose(lengths[lengths > 0.1], 1.0, atol=1e-6)


def test_views_of_people_are_near() -> None:
    rng = np.random.default_rng(4)
    stock = Stock(Materials(rng, Photographs()), MeshFolder())
    scene = make_studio(rng, SKY, stock.materials)
    add_people(rng, scene, stock, 2)
    assert len(scene.moving_objects) in (1, 2)
    assert len(scene.sights) == 3 * len(scene.moving_objects)
    assert min(sight.nearest for sight in scene.sights) == NEAREST_M
    assert max(sight.farthest for sight in scene.sights) == FARTHEST_M


def test_human_meshes_have_the_listed_height(tmp_path) -> None:
    rows = ('v 0 0 0', 'v 1 0 0', 'v 0 180 0', 'v 0 0 30', 'f 1 2 3', 'f 1 3 4')
    (tmp_path / 'woman.obj').write_text('\n'.join(rows))
    (tmp_path / 'sizes.csv').write_text(
        'file,width_m,depth_m,height_m,up,kind\nwoman.obj,0.5,0.3,1.65,y,person\n'
    )
    folder = MeshFolder(tmp_path)
    assert not folder.listed
    rng = np.random.default_rng(0)
    assert height_of(folder.sample(rng, 9).draw_person(rng)) == pytest.approx(1.65)
