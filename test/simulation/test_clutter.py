"""Clutter: things in real sizes that stand on what carries them."""

import numpy as np
import pytest

from flashdepth_ros.simulation.clutter import Stock, add_clutter, hanging, heap, laid_table, rack
from flashdepth_ros.simulation.materials import Materials
from flashdepth_ros.simulation.mesh_folder import MeshFolder
from flashdepth_ros.simulation.photographs import Photographs
from flashdepth_ros.simulation.scene import SceneObject, Sky
from flashdepth_ros.simulation.studio import HEIGHT_M, make_studio
from flashdepth_ros.simulation.things import SMALL, height_of, mug, standing, tumbled

SKY = Sky((0.2, 0.4, 0.9), (0.8, 0.9, 1.0), 0.5, 0)


def stock_of(seed: int) -> tuple[np.random.Generator, Stock]:
    rng = np.random.default_rng(seed)
    return rng, Stock(Materials(rng, Photographs()), MeshFolder())


def lowest(item: SceneObject) -> float:
    return min(mesh.vertices[:, 2].min() for _, mesh in item.parts)


@pytest.mark.parametrize('factory', sorted(set(SMALL), key=lambda f: f.__name__))
def test_things_stand_centred_on_the_ground_and_are_small(factory) -> None:
    for seed in range(12):
        rng, stock = stock_of(seed)
        item = factory(rng, stock.materials)
        points = np.concatenate([mesh.vertices for _, mesh in item.parts])
        assert np.isfinite(points).all()
        assert lowest(item) == pytest.approx(0.0, abs=1e-9)
        np.testing.assert_allclose(points.max(0)[:2], [item.length / 2, item.width / 2])
        assert 0.0 < height_of(item) < 2.8
        normals = np.concatenate([mesh.normals for _, mesh in item.parts])
        lengths = np.linalg.norm(normals, axis=1)
        np.testing.assert_allclose(lengths[lengths > 0.1], 1.0, atol=1e-6)


def test_a_mug_is_as_high_as_a_mug_in_any_orientation() -> None:
    for seed in range(20):
        rng, stock = stock_of(seed)
        item = mug(rng, stock.materials)
        assert 0.079 < height_of(item) < 0.111
        lying = tumbled(rng, item)
        assert lowest(lying) == pytest.approx(0.0, abs=1e-9)
        sizes = [np.linalg.norm(np.diff(mesh.vertices, axis=0), axis=1) for _, mesh in item.parts]
        turned = [
            np.linalg.norm(np.diff(mesh.vertices, axis=0), axis=1) for _, mesh in lying.parts
        ]
        np.testing.assert_allclose(np.concatenate(turned), np.concatenate(sizes), atol=1e-9)


def test_tables_have_the_height_of_tables_and_carry_their_things() -> None:
    for seed in range(20):
        rng, stock = stock_of(seed)
        table, top = laid_table(rng, stock)
        assert 0.37 < top < 1.11
        above = [mesh for _, mesh in table.parts if mesh.vertices[:, 2].max() > top + 1e-6]
        assert all(mesh.vertices[:, 2].min() > top - 1e-6 for mesh in above)
        assert all(np.abs(m.vertices[:, 0]).max() < table.length / 2 + 0.6 for m in above)


def test_racks_and_heaps_stand_on_the_ground() -> None:
    for seed in range(12):
        rng, stock = stock_of(seed)
        assert lowest(rack(rng, stock)) == pytest.approx(0.0, abs=1e-6)
        pile = heap(rng, stock, 0.4)
        assert lowest(pile) == pytest.approx(0.0, abs=1e-6)
        assert height_of(pile) < 1.2
        hung = hanging(rng, stock, 2.4)
        assert height_of(hung) == pytest.approx(2.4)
        assert lowest(hung) > 1.0


def test_clutter_is_noted_as_sights_and_takes_free_ground() -> None:
    rng, stock = stock_of(3)
    scene = make_studio(rng, SKY, stock.materials)
    before = scene.free.clearance(0.0, 0.0)
    add_clutter(rng, scene, stock, 2.0)
    assert scene.sights
    for sight in scene.sights:
        assert scene.free.clearance(*sight.point[:2]) < 0.5
    assert before > 0.5


def test_rooms_have_plausible_heights_and_face_inwards() -> None:
    for seed in range(10):
        rng, stock = stock_of(seed)
        scene = make_studio(rng, SKY, stock.materials)
        whole = standing(scene.parts)
        assert height_of(whole) < HEIGHT_M[1] + 0.01
        assert min(mesh.vertices[:, 2].min() for _, mesh in scene.parts) >= 0.0
        assert 1.5 < whole.length < 9.5
        floor = scene.parts[0][1]
        assert (floor.normals[:, 2] == 1.0).all()
