"""Objects from a folder of mesh files, in plausible sizes: `MeshFolder`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
import math
from pathlib import Path

import numpy as np

from flashdepth_ros.simulation.mesh import Array, Mesh
from flashdepth_ros.simulation.mesh_files import read_mesh
from flashdepth_ros.simulation.mesh_search import PERSON, FoundMeshes, MeshFile, find_meshes
from flashdepth_ros.simulation.scene import Part, SceneObject
from flashdepth_ros.simulation.variety import Tell, first_readable, ignore

PLAUSIBLE_M = (0.02, 3.0)
_DRAWN_M = (0.05, 0.8)
_LISTED_SHARE = 0.6
_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


class MeshFolder:
    """
    The OBJ and STL files of a folder and its subfolders; none without a folder.

    `sizes.csv` in the folder may list files with their sizes: file, width_m, depth_m, height_m, up
    (y or z) and kind ('person' or nothing). Other files are in metres if that gives 0.02-3 m, else
    their size is random.
    """

    def __init__(self, folder: Path | None = None, tell: Tell = ignore) -> None:
        """
        Find the files, as `find_meshes` does.

        :param tell: called with a line about each damaged file that is met, perhaps repeatedly.
        :raises SimulationError: the folder has no usable meshes, or a list of sizes is not valid.
        """
        found = FoundMeshes() if folder is None else find_meshes(folder)
        self.people = tuple(file for file in found.listed if file.kind == PERSON)
        self.listed = tuple(file for file in found.listed if file.kind != PERSON)
        self.others, self.notes = found.others, found.notes
        self._reserve: tuple[MeshFile, ...] = ()
        self._tell = tell

    def __bool__(self) -> bool:
        """Return whether there are files."""
        return bool(self.listed or self.others)

    def sample(self, rng: np.random.Generator, count: int) -> MeshFolder:
        """Return a random choice of `count` files, because reading a file takes long."""
        chosen = MeshFolder(tell=self._tell)
        order = [rng.permutation(len(files)) for files in (self.listed, self.others)]
        listed = min(len(self.listed), max(count // 2, count - len(self.others)))
        chosen.listed = tuple(self.listed[i] for i in order[0][:listed])
        chosen.others = tuple(self.others[i] for i in order[1][: count - listed])
        rest = (order[0][listed:], order[1][count - listed :])
        chosen._reserve = (
            *(self.others[i] for i in rest[1]),
            *(self.listed[i] for i in rest[0]),
        )
        people = rng.permutation(len(self.people))[: max(1, count // 10)]
        chosen.people = tuple(self.people[i] for i in people)
        return chosen

    def draw(
        self, rng: np.random.Generator, smallest_m: float, largest_m: float
    ) -> SceneObject | None:
        """
        Return a random object with a longest edge in this range, standing as in its file.

        Another file takes the place of a damaged one; None if no file can be read.
        """
        listed = [f for f in self.listed if smallest_m <= max(f.size_m or (0,)) <= largest_m]
        take_listed = bool(listed) and (rng.random() < _LISTED_SHARE or not self.others)
        files = listed if take_listed else self.others or self.listed
        start = int(rng.integers(len(files)))
        drawn = self._first(chain(files[start:], files[:start], self._others_than(files)))
        if drawn is None:
            return None
        file, parts = drawn
        low, high = _bounds(parts)
        edges = np.maximum(high - low, 1e-9)
        sized = file.size_m if take_listed else None
        scale = np.full(3, _scale(rng, edges)) if sized is None else sized / edges
        # An edge out of the range is brought into it: the file's units were not metres.
        longest = float((scale * edges).max())
        scale = scale * (min(max(longest, smallest_m), largest_m) / longest)
        return _standing(parts, low, high, scale)

    def draw_person(self, rng: np.random.Generator) -> SceneObject | None:
        """Return a random person in the listed size; None if no file can be read."""
        start = int(rng.integers(len(self.people)))
        drawn = self._first((*self.people[start:], *self.people[:start]))
        if drawn is None:
            return None
        file, parts = drawn
        low, high = _bounds(parts)
        return _standing(parts, low, high, np.asarray(file.size_m) / np.maximum(high - low, 1e-9))

    def _others_than(self, files: Iterable[MeshFile]) -> Iterator[MeshFile]:
        taken = set(files)
        every = chain(self.others, self.listed, self._reserve)
        return (file for file in every if file not in taken)

    def _first(self, files: Iterable[MeshFile]) -> tuple[MeshFile, tuple[Part, ...]] | None:
        """Return the first file that can be read, upright; tell of those before it."""
        return first_readable(files, lambda file: _upright(_read(file.path), file.up), self._tell)


def _scale(rng: np.random.Generator, edges: Array) -> float:
    longest = float(edges.max())
    if PLAUSIBLE_M[0] <= longest <= PLAUSIBLE_M[1]:
        return 1.0
    low, high = (math.log(edge) for edge in _DRAWN_M)
    return math.exp(rng.uniform(low, high)) / longest


def _standing(parts: tuple[Part, ...], low: Array, high: Array, scale: Array) -> SceneObject:
    """Return the parts, scaled, on z = 0 and centred."""
    foot = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    length, width, _ = (float(v) for v in scale * (high - low))
    return SceneObject(tuple((s, _scaled(m, foot, scale)) for s, m in parts), length, width)


def _scaled(mesh: Mesh, foot: Array, scale: Array) -> Mesh:
    normals = mesh.normals / scale
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return Mesh((mesh.vertices - foot) * scale, normals, mesh.uv, mesh.faces)


def _upright(parts: tuple[Part, ...], up: str) -> tuple[Part, ...]:
    if up == 'z':
        return parts
    return tuple((s, m.turned(_Y_UP)) for s, m in parts)


def _bounds(parts: tuple[Part, ...]) -> tuple[Array, Array]:
    lows, highs = zip(
        *((m.vertices.min(axis=0), m.vertices.max(axis=0)) for _, m in parts), strict=True
    )
    return np.min(lows, axis=0), np.max(highs, axis=0)


@lru_cache(maxsize=96)
def _read(path: Path) -> tuple[Part, ...]:
    return read_mesh(path)
