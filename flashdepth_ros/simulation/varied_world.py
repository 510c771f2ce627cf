"""Generate a varied scene from a seed: random materials, clutter, people and landscapes."""

from __future__ import annotations

import numpy as np

from flashdepth_ros.simulation.clutter import Stock, add_clutter
from flashdepth_ros.simulation.crowd import add_people
from flashdepth_ros.simulation.landscape import make_landscape
from flashdepth_ros.simulation.materials import Materials, repainted
from flashdepth_ros.simulation.mesh_folder import MeshFolder
from flashdepth_ros.simulation.photographs import Photographs
from flashdepth_ros.simulation.scene import Scene
from flashdepth_ros.simulation.studio import make_studio
from flashdepth_ros.simulation.variety import Variety
from flashdepth_ros.simulation.world import make_scene, make_sky

STAGES = {
    'any': {'studio': 0.4, 'landscape': 0.2, 'typical': 0.4},
    'indoor': {'studio': 0.6, 'typical': 0.4},
    'outdoor': {'landscape': 0.5, 'typical': 0.5},
}
# Successive scenes share files, which take long to read.
_SCENES_PER_CHOICE = 32
_MESHES = 48
_PHOTOGRAPHS = 120


def make_varied_scene(seed: int, kind: str, shadow_share: float, variety: Variety) -> Scene:
    """
    Return the varied scene of a seed; the parameters are those of `make_scene`.

    :raises SimulationError: the kind is unknown, or a folder has no usable files.
    """
    rng = np.random.default_rng([0x7A5CE9E, seed])
    shared = np.random.default_rng([0x7A3E5, seed // _SCENES_PER_CHOICE])
    photographs = Photographs(variety.textures, variety.tell).sample(shared, _PHOTOGRAPHS)
    materials = Materials(rng, photographs)
    meshes = MeshFolder(variety.meshes, variety.tell).sample(shared, _MESHES)
    stock = Stock(materials, meshes)
    stages = STAGES.get(kind, {'typical': 1.0})
    stage = str(rng.choice(list(stages), p=list(stages.values())))
    if stage == 'studio':
        scene = make_studio(rng, make_sky(rng), materials)
    elif stage == 'landscape':
        scene = make_landscape(rng, bool(rng.random() < shadow_share))
    else:
        scene = make_scene(seed, kind, shadow_share)
    if stage != 'studio':
        share = float(rng.choice([0.0, rng.random(), 1.0], p=[0.3, 0.45, 0.25]))
        scene = repainted(rng, scene, materials, share, motley=bool(rng.random() < 0.35))
    add_people(rng, scene, stock, int(rng.choice([0, 0, 1, 2, 3])))
    add_clutter(rng, scene, stock, float(rng.uniform(0.4, 2.5)))
    return scene
