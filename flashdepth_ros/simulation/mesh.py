"""Triangle meshes with texture coordinates in metres, and basic shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Mesh:
    """Triangles: vertices and unit normals (V, 3), uv (V, 2), faces (F, 3); metres, z up."""

    vertices: Array
    normals: Array
    uv: Array
    faces: NDArray[np.int32]

    def moved(self, x: float, y: float, z: float = 0.0, yaw: float = 0.0) -> Mesh:
        """Return the mesh rotated about z by `yaw` radians, then translated."""
        cos, sin = math.cos(yaw), math.sin(yaw)
        turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
        vertices = self.vertices @ turn + (x, y, z)
        return replace(self, vertices=vertices, normals=self.normals @ turn)

    def tilted(self, pitch: float) -> Mesh:
        """Return the mesh rotated about y by `pitch` radians (the x axis turns down)."""
        cos, sin = math.cos(pitch), math.sin(pitch)
        turn = np.array([[cos, 0.0, -sin], [0.0, 1.0, 0.0], [sin, 0.0, cos]])
        return replace(self, vertices=self.vertices @ turn, normals=self.normals @ turn)

    def turned(self, turn: Array) -> Mesh:
        """Return the mesh with each point p turned to p @ `turn`, a rotation (3, 3)."""
        return replace(self, vertices=self.vertices @ turn, normals=self.normals @ turn)

    def roughened(self, rng: np.random.Generator, amount_m: float, wave_m: float) -> Mesh:
        """Return the mesh with bumps of about this height and width, for foliage and rocks."""
        turns = rng.normal(0.0, 2.0 * math.pi / wave_m, (3, 3))
        bumps = np.sin(self.vertices @ turns + rng.uniform(0.0, 6.28, 3)).sum(
            axis=1, keepdims=True
        )
        return replace(self, vertices=self.vertices + 0.5 * amount_m * bumps * self.normals)

    def uv_shifted(self, u: float, v: float) -> Mesh:
        """Return the mesh with a shifted texture, so that equal objects look different."""
        return replace(self, uv=self.uv + np.array([u, v]))


def join(meshes: Sequence[Mesh]) -> Mesh:
    """Return the union of several meshes as one mesh."""
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.uv for mesh in meshes]),
        np.concatenate([m.faces + s for m, s in zip(meshes, starts, strict=True)]).astype(
            np.int32
        ),
    )


@lru_cache(maxsize=64)
def _grid_faces(columns: int, rows: int) -> NDArray[np.int32]:
    corner = np.arange(rows * (columns + 1)).reshape(rows, columns + 1)[:, :-1].reshape(-1)
    above = corner + columns + 1
    lower = np.stack([corner, corner + 1, above + 1], axis=1)
    upper = np.stack([corner, above + 1, above], axis=1)
    return np.concatenate([lower, upper]).astype(np.int32)


def sheet(origin: Vector, along: Vector, up: Vector, cell: float = math.inf) -> Mesh:
    """
    Return a parallelogram whose front side is in direction `along` x `up`.

    Lighting is per vertex, so large sheets near lamps need a subdivision into cells (metres).
    """
    first, second = np.asarray(along, np.float64), np.asarray(up, np.float64)
    width, height = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    columns, rows = max(1, math.ceil(width / cell)), max(1, math.ceil(height / cell))
    v, u = np.mgrid[0 : rows + 1, 0 : columns + 1].reshape(2, -1, 1)
    u, v = u / columns, v / rows
    normal = np.cross(first, second)
    normal /= np.linalg.norm(normal)
    return Mesh(
        np.asarray(origin) + u * first + v * second,
        np.tile(normal, (len(u), 1)),
        np.concatenate([u * width, v * height], axis=1),
        _grid_faces(columns, rows),
    )


@lru_cache(maxsize=1)
def _unit_box() -> tuple[Array, Array, Array, Array, NDArray[np.int32]]:
    """Return corners (24, 3), normals, the axes (24, 3) of texture u and v, and triangles."""
    faces = [
        ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
        ((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
        ((0, 1, 0), (-1, 0, 0), (0, 0, 1)),
        ((0, -1, 0), (1, 0, 0), (0, 0, 1)),
        ((0, 0, 1), (1, 0, 0), (0, 1, 0)),
        ((0, 0, -1), (1, 0, 0), (0, -1, 0)),
    ]
    table = np.array(faces, dtype=np.float64)
    normal, u, v = (np.repeat(table[:, i], 4, axis=0) for i in range(3))
    corners = np.tile(np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=np.float64), (6, 1))
    vertices = normal + corners[:, :1] * u + corners[:, 1:] * v
    quads = 4 * np.arange(6)[:, None]
    halves = [quads + np.array(corner) for corner in ((0, 1, 2), (0, 2, 3))]
    triangles = np.concatenate(halves).astype(np.int32)
    return vertices, normal, u, v, triangles


def box(size: Vector, centre: Vector = (0.0, 0.0, 0.0)) -> Mesh:
    """Return a box with edge lengths `size` around `centre`."""
    unit, normals, u_axis, v_axis, faces = _unit_box()
    local = unit * np.asarray(size) * 0.5
    uv = np.stack([(local * u_axis).sum(1), (local * v_axis).sum(1)], axis=1)
    return Mesh(local + centre, normals, uv, faces)


@lru_cache(maxsize=32)
def _circle(sides: int) -> Array:
    angle = np.linspace(0.0, 2.0 * math.pi, sides + 1)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def revolve(profile: Sequence[tuple[float, float]], sides: int = 12) -> Mesh:
    """Return the surface of revolution of a `profile` (radius, height), from bottom to top."""
    curve, ring = np.asarray(profile, dtype=np.float64), _circle(sides)
    step = np.diff(curve, axis=0)
    length = np.hypot(step[:, 0], step[:, 1])
    slope = np.stack([step[:, 1], -step[:, 0]], axis=1) / np.maximum(length, 1e-9)[:, None]
    slope = np.concatenate([slope[:1], slope, slope[-1:]])
    slope = slope[:-1] + slope[1:]
    slope /= np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9)
    rows, columns = len(curve), sides + 1
    vertices, normals = np.empty((rows, columns, 3)), np.empty((rows, columns, 3))
    vertices[..., :2], vertices[..., 2] = curve[:, None, :1] * ring, curve[:, None, 1]
    normals[..., :2], normals[..., 2] = slope[:, None, :1] * ring, slope[:, None, 1]
    uv = np.empty((rows, columns, 2))
    uv[..., 0] = np.linspace(0.0, 2.0 * math.pi * max(curve[:, 0].max(), 1e-3), columns)
    uv[..., 1] = np.concatenate([[0.0], np.cumsum(length)])[:, None]
    flat = (vertices.reshape(-1, 3), normals.reshape(-1, 3), uv.reshape(-1, 2))
    return Mesh(*flat, _grid_faces(sides, rows - 1))


def cylinder(radius: float, height: float, sides: int = 12, top: float | None = None) -> Mesh:
    """Return a closed cylinder on z = 0, or a frustum with upper radius `top`."""
    upper = radius if top is None else top
    lid = revolve([(upper, height), (0.0, height)], sides)
    return join([revolve([(radius, 0.0), (upper, height)], sides), lid])


def ellipsoid(radii: Vector, centre: Vector = (0.0, 0.0, 0.0), sides: int = 12) -> Mesh:
    """Return an ellipsoid around `centre`."""
    angles = np.linspace(-math.pi / 2, math.pi / 2, max(4, sides // 2 + 1))
    ball = revolve([(math.cos(a), math.sin(a)) for a in angles], sides)
    normals = ball.vertices / np.asarray(radii)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    scale = np.asarray(radii)
    return Mesh(ball.vertices * scale + centre, normals, ball.uv * scale.mean(), ball.faces)


def rod(start: Vector, end: Vector, radius: float, sides: int = 8) -> Mesh:
    """Return a cylinder between two points."""
    return along(cylinder(radius, math.dist(start, end), sides), start, end)


def along(mesh: Mesh, start: Vector, end: Vector) -> Mesh:
    """Return the mesh with its origin at `start` and its z axis towards `end`."""
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    z_axis = (b - a) / float(np.linalg.norm(b - a))
    helper = np.array([1.0, 0.0, 0.0]) if abs(z_axis[2]) > 0.9 else np.array([0.0, 0.0, 1.0])
    x_axis = np.cross(helper, z_axis)
    x_axis /= np.linalg.norm(x_axis)
    turn = np.stack([x_axis, np.cross(z_axis, x_axis), z_axis])
    return replace(mesh, vertices=mesh.vertices @ turn + a, normals=mesh.normals @ turn)


def patch(rng: np.random.Generator, radius: float, height: float) -> Mesh:
    """Return a flat, irregular patch of ground, `height` metres above z = 0."""
    disc = revolve([(radius, height), (0.0, height)], 20)
    angle = np.arctan2(disc.vertices[:, 1], disc.vertices[:, 0])
    waves = sum(rng.uniform(0.0, 0.22) * np.cos(k * angle + rng.uniform(0, 6)) for k in (1, 2, 3))
    plan = disc.vertices * np.stack([1.0 + waves, 1.0 + waves, np.ones(len(angle))], axis=1)
    return replace(disc, vertices=plan, uv=plan[:, :2])


def terrain(x: Array, y: Array, z: Array) -> Mesh:
    """Return the height field z (len(y), len(x)) over the grid lines x and y."""
    slope_y, slope_x = np.gradient(z, y, x)
    normals = np.stack([-slope_x, -slope_y, np.ones_like(z)], axis=-1).reshape(-1, 3)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    grid_x, grid_y = np.meshgrid(x, y)
    plan = np.stack([grid_x.ravel(), grid_y.ravel()], axis=1)
    vertices = np.concatenate([plan, z.reshape(-1, 1)], axis=1)
    return Mesh(vertices, normals, plan, _grid_faces(len(x) - 1, len(y) - 1))
