"""Furniture, street objects and people."""

import numpy as np
import pytest

from flashdepth_ros.simulation import furniture, street
from flashdepth_ros.simulation.mesh import join
from flashdepth_ros.simulation.people import person
from flashdepth_ros.simulation.scene import SceneObject
from flashdepth_ros.simulation.surfaces import Palette

FACTORIES = sorted(
    {*furniture.WALL_SIDE, *furniture.FREE_STANDING, *street.SMALL, *street.LARGE, person},
    key=lambda factory: factory.__name__,
)


@pytest.mark.parametrize('factory', FACTORIES, ids=lambda factory: factory.__name__)
def test_objects_are_on_the_ground_and_within_their_footprint(factory) -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        scene_object: SceneObject = factory(rng, Palette(rng))
        whole = join([mesh for _, mesh in scene_object.parts])
        low, high = whole.vertices.min(axis=0), whole.vertices.max(axis=0)
        assert -0.25 < low[2] < 0.06
        assert 0.1 < high[2] < 24.0
        low_part = whole.vertices[whole.vertices[:, 2] < 0.6]
        if factory in (street.tree, street.bush, street.conifer):
            continue
        assert np.abs(low_part[:, 0]).max() < scene_object.length / 2 + 0.16
        assert np.abs(low_part[:, 1]).max() < scene_object.width / 2 + 0.16


def test_objects_have_realistic_heights() -> None:
    for seed in range(12):
        rng = np.random.default_rng(seed)
        palette = Palette(rng)
        heights = {
            factory: max(mesh.vertices[:, 2].max() for _, mesh in factory(rng, palette).parts)
            for factory in (person, furniture.chair, street.car, street.cone)
        }
        assert 1.5 < heights[person] < 1.95
        assert 0.75 < heights[furniture.chair] < 1.05
        assert 1.35 < heights[street.car] < 2.55
        assert round(heights[street.cone], 3) in (0.5, 0.75)
