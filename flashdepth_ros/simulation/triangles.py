"""Meshes from loose triangles, as files have them: normals, texture coordinates, both sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.simulation.mesh import Array, Mesh


def from_triangles(corners: Array, normals: Array | None = None, uv: Array | None = None) -> Mesh:
    """
    Return the mesh of triangles (F, 3, 3), flat where it has no `normals` of that shape.

    :param uv: (F, 3, 2); without it, textures are projected along the main axis of each triangle.
    """
    face_normals = _face_normals(corners)
    if normals is None:
        normals = np.repeat(face_normals[:, None], 3, axis=1)
    if uv is None:
        axis = np.abs(face_normals).argmax(axis=1)
        kept = np.array([[1, 2], [0, 2], [0, 1]])[axis]
        uv = np.take_along_axis(corners, kept[:, None].repeat(3, axis=1), axis=2)
    faces = np.arange(3 * len(corners), dtype=np.int32).reshape(-1, 3)
    return Mesh(corners.reshape(-1, 3), normals.reshape(-1, 3), uv.reshape(-1, 2), faces)


def faceted(mesh: Mesh) -> Mesh:
    """Return the mesh with flat triangles and sharp edges."""
    return from_triangles(mesh.vertices[mesh.faces], uv=mesh.uv[mesh.faces])


def two_sided(mesh: Mesh) -> Mesh:
    """Return the mesh with a back for each triangle, for surfaces that are open."""
    count = len(mesh.vertices)
    return Mesh(
        np.concatenate([mesh.vertices, mesh.vertices]),
        np.concatenate([mesh.normals, -mesh.normals]),
        np.concatenate([mesh.uv, mesh.uv]),
        np.concatenate([mesh.faces, mesh.faces[:, ::-1] + count]).astype(np.int32),
    )


def is_closed(indices: NDArray[np.integer]) -> bool:
    """Return whether triangles (F, 3) of vertex indices are closed: every edge has its reverse."""
    start, end = indices.ravel(), np.roll(indices, -1, axis=1).ravel()
    count = int(indices.max(initial=0)) + 1
    there, back = np.sort(start * count + end), np.sort(end * count + start)
    return bool((there == back).all() and (np.diff(there) > 0).all())


def volume(corners: Array) -> float:
    """Return the volume that triangles (F, 3, 3) enclose; negative if their fronts are inside."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    return float((a * np.cross(b, c)).sum() / 6.0)


def _face_normals(corners: Array) -> Array:
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
