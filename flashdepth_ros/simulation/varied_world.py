"""Generate a varied scene from a seed: random materials, clutter, people and landscapes."""

from __future__ import annotations

import numpy as np

from flashdepth_ros.simulation.clutter import Stock, add_clutter
from flashdepth_ros.simulation.crowd import add_people
from flashdepth_ros.simulation.materials import Materials, repainted
from flashdepth_ros.simulation.mesh_folder import MeshFolder
from flashdepth_ros.simulation.photographs import Photographs
from flashdepth_ros.simulation.scene import Scene
from flashdepth_ros.simulation.studio import make_studio
from flashdepth_ros.simulation.variety import Variety
from flashdepth_ros.simulation.world import make_scene, make_sky

_STUDIO_SHARE = 0.5
# Successive scenes share their mesh files, which take long to read.
_SCENES_PER_CHOICE = 16
_CHOICE = 40


def make_varied_scene(seed: int, kind: str, shadow_share: float, variety: Variety) -> Scene:
    """
    Return the varied scene of a seed; the parameters are those of `make_scene`.

    :raises SimulationError: the kind is unknown, or a folder has no usable files.
    """
    rng = np.random.default_rng([0x7A5CE9E, seed])
    materials = Materials(rng, Photographs(variety.textures))
    shared = np.random.default_rng([0x7A3E5, seed // _SCENES_PER_CHOICE])
    stock = Stock(materials, MeshFolder(variety.meshes).sample(shared, _CHOICE))
    if kind in ('any', 'indoor') and rng.random() < _STUDIO_SHARE:
        scene = make_studio(rng, make_sky(rng), materials)
    else:
        share = float(rng.choice([rng.random(), 1.0]))
        typical = make_scene(seed, kind, shadow_share)
        scene = repainted(rng, typical, materials, share, motley=bool(rng.random() < 0.35))
    add_people(rng, scene, stock, int(rng.choice([0, 0, 1, 2, 3])))
    add_clutter(rng, scene, stock, float(rng.uniform(0.4, 2.5)))
    return scene
