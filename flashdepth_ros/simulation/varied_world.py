"""Generate a varied scene from a seed: random materials, clutter and landscapes."""

from __future__ import annotations

import numpy as np

from flashdepth_ros.simulation.materials import Materials, repainted
from flashdepth_ros.simulation.photographs import Photographs
from flashdepth_ros.simulation.scene import Scene
from flashdepth_ros.simulation.variety import Variety
from flashdepth_ros.simulation.world import make_scene


def make_varied_scene(seed: int, kind: str, shadow_share: float, variety: Variety) -> Scene:
    """
    Return the varied scene of a seed; the parameters are those of `make_scene`.

    :raises SimulationError: the kind is unknown, or a folder has no usable files.
    """
    rng = np.random.default_rng([0x7A5CE9E, seed])
    materials = Materials(rng, Photographs(variety.textures))
    scene = make_scene(seed, kind, shadow_share)
    share = float(rng.choice([rng.random(), 1.0]))
    return repainted(rng, scene, materials, share, motley=bool(rng.random() < 0.35))
