"""What can be said of the folders of varied scenes before any scene is made."""

from __future__ import annotations

import numpy as np

from flashdepth_ros.errors import SimulationError
from flashdepth_ros.simulation.mesh_folder import MeshFolder
from flashdepth_ros.simulation.photographs import Photographs
from flashdepth_ros.simulation.variety import Variety


def check_folders(variety: Variety) -> None:
    """
    Tell which files of the folders are left out; files are read only until one is usable.

    :raises SimulationError: a folder has no usable files, or its list of sizes is not valid.
    """
    rng = np.random.default_rng(0)
    if variety.textures is not None:
        Photographs(variety.textures, variety.tell).draw(rng)
    if variety.meshes is not None:
        meshes = MeshFolder(variety.meshes, variety.tell)
        for note in meshes.notes:
            variety.tell(note)
        usable = (meshes and meshes.draw(rng, 0.03, 2.5)) or (
            meshes.people and meshes.draw_person(rng)
        )
        if not usable:
            raise SimulationError(
                f'{variety.meshes}: no usable meshes; none of its files can be read: export them '
                'again as OBJ or STL'
            )
