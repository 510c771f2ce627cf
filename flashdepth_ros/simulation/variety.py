"""How varied the scenes of a set of clips are: `Variety`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from flashdepth_ros.errors import SimulationError

F = TypeVar('F')
R = TypeVar('R')

FOV_DEG = (45.0, 100.0)

Tell = Callable[[str], None]
"""Takes a line for the user."""


def ignore(_line: str) -> None:
    """Tell nobody."""


def first_readable(files: Iterable[F], read: Callable[[F], R], tell: Tell) -> tuple[F, R] | None:
    """Return the first file that can be read and its content; tell of those before it."""
    for file in files:
        try:
            return file, read(file)
        except SimulationError as error:
            tell(str(error))
    return None


@dataclass(frozen=True)
class Variety:
    """
    The share of scenes without a typical look, and the folders that they are made with.

    In such scenes materials, objects, views and the effects of the camera are random, while sizes
    stay plausible: a network cannot learn the look of the simulator instead of depth.

    :param textures: folder of photographs for surfaces and colour styles.
    :param meshes: folder of OBJ and STL files of objects.
    :param tell: called with a line about each damaged file that another one replaces, perhaps
        repeatedly.
    """

    share: float = 0.0
    textures: Path | None = None
    meshes: Path | None = None
    tell: Tell = field(default=ignore, compare=False)

    def includes(self, scene_seed: int) -> bool:
        """Return whether the scene of a seed is varied; a larger share includes the same ones."""
        return bool(np.random.default_rng([0x7A21E7, scene_seed]).random() < self.share)


NO_VARIETY = Variety()
