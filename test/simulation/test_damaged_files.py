"""Photographs and meshes that take the place of damaged ones."""

import numpy as np
import pytest

from flashdepth_ros.errors import SimulationError
from flashdepth_ros.simulation.mesh import box
from flashdepth_ros.simulation.mesh_folder import MeshFolder
from flashdepth_ros.simulation.model import compile_scene
from flashdepth_ros.simulation.photographs import Photographs, _read
from flashdepth_ros.simulation.scene import FreeSpace, Scene, Sky
from flashdepth_ros.simulation.surfaces import Surface
from support.film_folders import write_meshes, write_photographs


def test_a_damaged_photograph_changes_only_the_draws_of_it(tmp_path):
    folder = write_photographs(tmp_path / 'p', whole=5)
    told = []
    before, after = (
        Photographs(folder, told.append).sample(np.random.default_rng(0), 3) for _ in range(2)
    )
    expected = [before.draw(np.random.default_rng(seed)) for seed in range(40)]
    bad = expected[0].path
    bad.write_bytes(b'nothing')
    _read.cache_clear()
    drawn = [after.draw(np.random.default_rng(seed)) for seed in range(40)]
    for one, two in zip(expected, drawn, strict=True):
        assert (one == two) == (one.path != bad)
        assert two.path != bad
        assert (one.edge, one.left, one.top) == (two.edge, two.left, two.top)
    assert set(told) == {f'{bad}: not an image that OpenCV can read; remove or convert it'}


@pytest.mark.parametrize('content', [b'v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3', b'v 0 0\nf 1 1 1'])
def test_a_mesh_is_replaced_by_another_one(tmp_path, content):
    folder, told = write_meshes(tmp_path / 'm', 2), []
    (folder / '0.obj').write_bytes(content)
    found = MeshFolder(folder, told.append)
    for seed in range(9):
        item = found.sample(np.random.default_rng(seed), 1).draw(_rng(), 0.05, 1.0)
        assert item is not None
        assert item.length == pytest.approx(0.3)
    assert set(told) == {f'{folder / "0.obj"}: damaged mesh; remove it or export it again'}
    assert MeshFolder(write_meshes(tmp_path / 'torn', 0, 2)).draw(_rng(), 0.05, 1.0) is None


def test_a_scene_that_cannot_be_built_is_one_error_of_the_simulation():
    scene = Scene(FreeSpace(1, 1, 0.1), Sky((0, 0, 1), (1, 1, 1), 0.5, 0), False)
    scene.add([(Surface(), box((1e-20, 1e-20, 1e-20)))])
    with pytest.raises(SimulationError, match='MuJoCo cannot build the scene: mesh'):
        compile_scene(scene, 64, 48)


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)
