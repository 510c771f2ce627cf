"""People near the camera: figures, and human meshes of a folder, as sights of a scene."""

from __future__ import annotations

import math

import numpy as np

from flashdepth_ros.simulation.clutter import Stock
from flashdepth_ros.simulation.figures import figure
from flashdepth_ros.simulation.scene import Scene, Sight
from flashdepth_ros.simulation.things import height_of

NEAREST_M, FARTHEST_M = 0.7, 4.0
_FOLDER_SHARE = 0.4


def add_people(rng: np.random.Generator, scene: Scene, stock: Stock, count: int) -> None:
    """Add up to `count` people at free places; views look at their heads or at all of them."""
    for _ in range(count):
        place = scene.free.draw_point(rng, 0.35, 1.0 if scene.indoor else 0.2)
        if place is None:
            return
        yaw, ground = float(rng.uniform(0, 2 * math.pi)), scene.ground(*place)
        from_folder = stock.meshes.people and rng.random() < _FOLDER_SHARE
        drawn = stock.meshes.draw_person(rng) if from_folder else None
        if drawn:
            person = stock.painted(rng, drawn)
            scene.place(person, *place, yaw)
            eyes = 0.93 * height_of(person)
        else:
            mover, eyes = figure(rng, stock.materials, place, yaw)
            scene.moving_objects.append(mover)
            scene.free.block((*place, 0.5, 0.5, yaw))
        # The whole person needs more distance than the head.
        head = Sight((*place, ground + eyes), 0.15, NEAREST_M, 0.6 * FARTHEST_M)
        whole = Sight((*place, ground + 0.6 * eyes), 0.3, 1.5, FARTHEST_M)
        scene.sights += [head, head, whole]
