"""Read triangle meshes with their materials from OBJ and STL files: `read_mesh`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.errors import SimulationError
from flashdepth_ros.simulation.mesh import Array
from flashdepth_ros.simulation.photographs import ImageFile
from flashdepth_ros.simulation.scene import Part
from flashdepth_ros.simulation.surfaces import Surface
from flashdepth_ros.simulation.triangles import from_triangles, is_closed, two_sided, volume

SUFFIXES = ('.obj', '.stl')
UNPAINTED = Surface(tint=(0.7, 0.7, 0.7))
# Longest edges in any unit, and the least area of a part relative to their square: MuJoCo refuses
# meshes without an area.
_PLAUSIBLE = (1e-6, 1e9)
_LEAST_AREA = 1e-9


class _Group(NamedTuple):
    """Triangles of one material: indices (F, 3) of vertices, texture coordinates and normals."""

    surface: Surface
    corners: NDArray[np.int64]
    uv: NDArray[np.int64]
    normals: NDArray[np.int64]


def read_mesh(path: Path) -> tuple[Part, ...]:
    """
    Return the parts of an OBJ or STL file, in the units and axes of the file.

    Open surfaces get two sides. Materials of OBJ files have their colour or their image.

    :raises SimulationError: the file or an image of it is damaged, or it has no triangles.
    """
    try:
        parts = _read_stl(path) if path.suffix.lower() == '.stl' else _read_obj(path)
    except OSError as error:
        raise SimulationError(f'{path}: cannot be read: {error.strerror}; remove it') from error
    except (ValueError, IndexError) as error:
        raise SimulationError(f'{path}: damaged mesh; remove it or export it again') from error
    if not parts:
        raise SimulationError(f'{path}: no triangles; remove it or export the mesh again')
    for surface, _ in parts:
        if surface.image:
            surface.image.pixels()
    return parts


def _read_stl(path: Path) -> tuple[Part, ...]:
    data = path.read_bytes()
    count = int.from_bytes(data[80:84], 'little')
    if len(data) == 84 + 50 * count:
        records = np.frombuffer(data, np.uint8, offset=84).reshape(count, 50)
        floats = np.ascontiguousarray(records[:, 12:48]).view('<f4')
        corners = floats.reshape(-1, 3, 3).astype(np.float64)
    else:
        words = data.decode('ascii', 'replace').split('vertex')[1:]
        corners = np.array([w.split()[:3] for w in words], np.float64).reshape(-1, 3, 3)
    _, indices = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    group = _Group(UNPAINTED, indices.reshape(-1, 3), *_absent(len(corners)))
    points = np.empty((indices.max(initial=-1) + 1, 3))
    points[indices.ravel()] = corners.reshape(-1, 3)
    return _parts(points, np.empty((0, 2)), np.empty((0, 3)), [group])


def _absent(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.full((count, 3), -1), np.full((count, 3), -1)


def _read_obj(path: Path) -> tuple[Part, ...]:
    rows: dict[str, list[list[str]]] = {'v': [], 'vt': [], 'vn': []}
    triangles: dict[str, list[str]] = {}
    surfaces: dict[str, Surface] = {}
    material = ''
    for line in path.read_text('utf-8', 'replace').splitlines():
        key, _, rest = line.strip().partition(' ')
        if key in rows:
            rows[key].append(rest.split()[:3])
        elif key == 'f':
            triangles.setdefault(material, []).extend(_fan(rest.split()))
        elif key == 'usemtl':
            material = rest.strip()
        elif key == 'mtllib':
            surfaces |= _read_materials(path.parent / rest.strip())
    points, normals = (np.array(rows[key], np.float64).reshape(-1, 3) for key in ('v', 'vn'))
    uv = np.array([row[:2] for row in rows['vt']], np.float64).reshape(-1, 2)
    lengths = (len(points), len(uv), len(normals))
    groups = [
        _Group(surfaces.get(name, UNPAINTED), *_indices(corners, lengths))
        for name, corners in triangles.items()
    ]
    return _parts(points, uv, normals, groups)


def _fan(corners: list[str]) -> Iterable[str]:
    for second, third in pairwise(corners[1:]):
        yield from (corners[0], second, third)


def _indices(corners: list[str], lengths: tuple[int, int, int]) -> tuple[NDArray[np.int64], ...]:
    """Return vertex, texture and normal indices (F, 3) of `1/2/3`-style corners; -1: none."""
    table = [[*corner.split('/'), '', ''][:3] for corner in corners]
    numbers = np.array([[int(n or 0) for n in row] for row in table], np.int64).reshape(-1, 3)
    # Negative numbers count from the end, others from one.
    numbers = np.where(numbers < 0, numbers + lengths, numbers - 1)
    return tuple(numbers[:, i].reshape(-1, 3) for i in range(3))


def _parts(points: Array, uv: Array, normals: Array, groups: list[_Group]) -> tuple[Part, ...]:
    every = [group.corners for group in groups]
    if not every:
        return ()
    joined = np.concatenate(every)
    longest = _longest(points[joined])
    closed = is_closed(joined)
    inverted = closed and volume(points[joined]) < 0
    found = []
    for group in groups:
        order = [0, 2, 1] if inverted else [0, 1, 2]
        corners, textured, shaded = (g[:, order] for g in group[1:])
        triangles = points[corners]
        size = np.linalg.norm(np.ptp(triangles, axis=1), axis=1)
        kept = size > 0
        mesh = from_triangles(
            triangles[kept],
            _unit(normals[shaded[kept]]) if (shaded >= 0).all() and len(normals) else None,
            uv[textured[kept]] if group.surface.image and (textured >= 0).all() else None,
        )
        if _area(triangles) > _LEAST_AREA * longest**2:
            found.append((group.surface, mesh if closed else two_sided(mesh)))
    return tuple(found)


def _longest(corners: Array) -> float:
    """Return the longest edge of the box around corners (F, 3, 3); ValueError if implausible."""
    low, high = _PLAUSIBLE
    if not np.abs(corners).max() < high:
        raise ValueError('a vertex is far away or not a number')
    longest = float(np.ptp(corners.reshape(-1, 3), axis=0).max())
    if longest < low:
        raise ValueError('all vertices are in one place')
    return longest


def _area(triangles: Array) -> float:
    first, second = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    return float(np.linalg.norm(np.cross(first, second), axis=1).sum() / 2)


def _unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _read_materials(path: Path) -> dict[str, Surface]:
    """Return the materials of an MTL file; none if it is missing."""
    surfaces: dict[str, Surface] = {}
    name, folder = '', path.parent
    lines = path.read_text('utf-8', 'replace').splitlines() if path.is_file() else []
    for line in lines:
        key, _, rest = line.strip().partition(' ')
        if key == 'newmtl':
            name = rest.strip()
            surfaces[name] = UNPAINTED
        elif key == 'Kd' and name:
            red, green, blue = (min(1.0, max(0.0, float(v))) for v in rest.split()[:3])
            surfaces[name] = Surface(tint=(red, green, blue), image=surfaces[name].image)
        elif key == 'map_Kd' and name and (folder / rest.strip()).is_file():
            surfaces[name] = Surface(image=ImageFile(folder / rest.strip()))
    return surfaces
