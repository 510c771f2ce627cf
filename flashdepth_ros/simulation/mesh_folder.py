"""Objects from a folder of mesh files, in plausible sizes: `MeshFolder`."""

from __future__ import annotations

import csv
from functools import lru_cache
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flashdepth_ros.errors import SimulationError
from flashdepth_ros.simulation.mesh import Array, Mesh, Vector
from flashdepth_ros.simulation.mesh_files import SUFFIXES, read_mesh
from flashdepth_ros.simulation.scene import Part, SceneObject

SIZES = 'sizes.csv'
LARGEST_BYTES = 250_000
LARGEST_PERSON_BYTES = 1_200_000
PERSON = 'person'
PLAUSIBLE_M = (0.02, 3.0)
_DRAWN_M = (0.05, 0.8)
_LISTED_SHARE = 0.6
_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


class MeshFile(NamedTuple):
    """A mesh file; size (width x, depth y, height z) in metres, up axis and kind, if known."""

    path: Path
    size_m: Vector | None = None
    up: str = 'z'
    kind: str = ''


class MeshFolder:
    """
    The OBJ and STL files of a folder and its subfolders; none without a folder.

    `sizes.csv` in the folder may list files with their sizes: file, width_m, depth_m, height_m, up
    (y or z) and kind ('person' or nothing). Other files are in metres if that gives 0.02-3 m, else
    their size is random.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """
        Find the files; those above LARGEST_BYTES are left out, they take long to read.

        :raises SimulationError: the folder has no meshes, or its list of sizes is not valid.
        """
        listed, self.others = ((), ()) if folder is None else _find(folder)
        self.people = tuple(file for file in listed if file.kind == PERSON)
        self.listed = tuple(file for file in listed if file.kind != PERSON)

    def __bool__(self) -> bool:
        """Return whether there are files."""
        return bool(self.listed or self.others)

    def sample(self, rng: np.random.Generator, count: int) -> MeshFolder:
        """Return a random choice of `count` files, because reading a file takes long."""
        chosen = MeshFolder()
        order = [rng.permutation(len(files)) for files in (self.listed, self.others)]
        listed = min(len(self.listed), max(count // 2, count - len(self.others)))
        chosen.listed = tuple(self.listed[i] for i in order[0][:listed])
        chosen.others = tuple(self.others[i] for i in order[1][: count - listed])
        people = rng.permutation(len(self.people))[: max(1, count // 10)]
        chosen.people = tuple(self.people[i] for i in people)
        return chosen

    def draw(self, rng: np.random.Generator, smallest_m: float, largest_m: float) -> SceneObject:
        """Return a random object with a longest edge in this range, standing as in its file."""
        listed = [f for f in self.listed if smallest_m <= max(f.size_m or (0,)) <= largest_m]
        take_listed = bool(listed) and (rng.random() < _LISTED_SHARE or not self.others)
        files = listed if take_listed else self.others or self.listed
        file = files[int(rng.integers(len(files)))]
        parts = _upright(_read(file.path), file.up)
        low, high = _bounds(parts)
        edges = np.maximum(high - low, 1e-9)
        scale = (file.size_m or 0.0) / edges if take_listed else np.full(3, _scale(rng, edges))
        # An edge out of the range is brought into it: the file's units were not metres.
        longest = float((scale * edges).max())
        scale = scale * (min(max(longest, smallest_m), largest_m) / longest)
        return _standing(parts, low, high, scale)

    def draw_person(self, rng: np.random.Generator) -> SceneObject:
        """Return a random person in the listed size."""
        file = self.people[int(rng.integers(len(self.people)))]
        parts = _upright(_read(file.path), file.up)
        low, high = _bounds(parts)
        return _standing(parts, low, high, np.asarray(file.size_m) / np.maximum(high - low, 1e-9))


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


@lru_cache(maxsize=4)
def _find(folder: Path) -> tuple[tuple[MeshFile, ...], tuple[MeshFile, ...]]:
    paths = sorted(path for path in folder.rglob('*') if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise SimulationError(f'{folder}: no meshes; a folder with OBJ or STL files expected')
    listed = _read_sizes(folder / SIZES) if (folder / SIZES).is_file() else ()
    known = {file.path for file in listed}
    others = (MeshFile(path) for path in paths if path not in known)
    return tuple(filter(_is_small, listed)), tuple(filter(_is_small, others))


def _is_small(file: MeshFile) -> bool:
    most = LARGEST_PERSON_BYTES if file.kind == PERSON else LARGEST_BYTES
    return file.path.is_file() and file.path.stat().st_size <= most


def _read_sizes(path: Path) -> tuple[MeshFile, ...]:
    try:
        with path.open(newline='') as lines:
            return tuple(
                MeshFile(
                    path.parent / row['file'],
                    (float(row['width_m']), float(row['depth_m']), float(row['height_m'])),
                    row['up'],
                    row.get('kind') or '',
                )
                for row in csv.DictReader(lines)
            )
    except (KeyError, TypeError, ValueError) as error:
        raise SimulationError(
            f'{path}: not a list of sizes ({error}); '
            'columns file, width_m, depth_m, height_m, up expected'
        ) from error
