"""The description of a scene: static and moving objects, lights, sky and free space."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.simulation.mesh import Mesh, Vector
from flashdepth_ros.simulation.surfaces import Colour, Surface

Part = tuple[Surface, Mesh]
HeightFunction = Callable[[float, float], float]
# x and y of the centre, length along yaw, width across, yaw; metres and radians.
Rectangle = tuple[float, float, float, float, float]


@dataclass(frozen=True)
class SceneObject:
    """
    An object in real size on the plane z = 0 at the origin, with its front towards +x.

    `length` (x) and `width` (y) are the size of its footprint, m; no footprint if one is 0.
    """

    parts: tuple[Part, ...]
    length: float
    width: float

    def parts_at(self, x: float, y: float, z: float = 0.0, yaw: float = 0.0) -> list[Part]:
        """Return the parts of the object at a position and yaw."""
        return [(surface, mesh.moved(x, y, z, yaw)) for surface, mesh in self.parts]


@dataclass(frozen=True)
class Limb:
    """Parts that swing about y at `pivot` by swing * sin(2 pi t rate + phase), radians."""

    parts: tuple[Part, ...]
    pivot: Vector
    swing: float
    rate_hz: float
    phase: float


@dataclass(frozen=True)
class MovingObject:
    """An object that moves back and forth between two ground points at a constant speed."""

    body: SceneObject
    start: tuple[float, float]
    end: tuple[float, float]
    speed: float
    offset_m: float = 0.0
    limbs: tuple[Limb, ...] = ()

    def pose_at(self, time_s: float) -> tuple[float, float, float]:
        """Return x, y (metres) and yaw (radians) at a time."""
        delta = (self.end[0] - self.start[0], self.end[1] - self.start[1])
        length = max(math.hypot(*delta), 1e-6)
        distance = (self.offset_m + self.speed * time_s) % (2.0 * length)
        forward = distance <= length
        share = distance / length if forward else 2.0 - distance / length
        yaw = math.atan2(delta[1], delta[0]) + (0.0 if forward else math.pi)
        return self.start[0] + share * delta[0], self.start[1] + share * delta[1], yaw


@dataclass(frozen=True)
class Light:
    """The sun (`directional`) or a lamp; colour 0..1; `attenuation` is OpenGL's three terms."""

    position: Vector
    direction: Vector
    colour: Colour
    directional: bool = False
    shadow: bool = False
    cutoff_deg: float = 180.0
    attenuation: Vector = (1.0, 0.0, 0.0)


@dataclass(frozen=True)
class Sky:
    """Colours (0..1) of zenith and horizon, cloud cover (0..1) and seed of the cloud pattern."""

    zenith: Colour
    horizon: Colour
    clouds: float
    seed: int


@dataclass(frozen=True)
class Sight:
    """A point worth a close view, the radius (m) around it, and the range of distances to it."""

    point: Vector
    radius: float
    nearest: float
    farthest: float


class FreeSpace:
    """A grid map of free ground, with the distance in metres to the nearest obstacle."""

    def __init__(self, half_x: float, half_y: float, cell_m: float) -> None:
        self._cell = cell_m
        self._half = (half_x, half_y)
        shape = (math.ceil(2 * half_y / cell_m), math.ceil(2 * half_x / cell_m))
        self._free = np.ones(shape, np.uint8)
        self._reserved = np.zeros(shape, np.uint8)
        self._clearance: NDArray[np.float32] | None = None

    def _pixels(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return (points + self._half) / self._cell - 0.5

    def _outline(self, rectangle: Rectangle) -> NDArray[np.int32]:
        x, y, length, width, yaw = rectangle
        cos, sin = math.cos(yaw), math.sin(yaw)
        corners = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * (length / 2, width / 2)
        outline = corners @ np.array([[cos, sin], [-sin, cos]]) + (x, y)
        return np.rint(self._pixels(outline)).astype(np.int32)

    def block(self, rectangle: Rectangle) -> None:
        """Mark a rectangle as occupied."""
        cv2.fillConvexPoly(self._free, self._outline(rectangle), 0)
        self._clearance = None

    def reserve(self, rectangle: Rectangle) -> None:
        """Keep a rectangle free of objects, such as a doorway; the camera may pass it."""
        cv2.fillConvexPoly(self._reserved, self._outline(rectangle), 1)

    def fits(self, rectangle: Rectangle) -> bool:
        """Return whether a rectangle is neither occupied nor reserved."""
        mask = np.zeros_like(self._free)
        cv2.fillConvexPoly(mask, self._outline(rectangle), 1)
        return not bool((mask & (self._reserved | (1 - self._free))).any())

    def clearance(self, x: float, y: float) -> float:
        """Return the distance in metres from a point to the nearest obstacle or map border."""
        if self._clearance is None:
            framed = self._free.copy()
            framed[0], framed[-1], framed[:, 0], framed[:, -1] = 0, 0, 0, 0
            self._clearance = (
                cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) * self._cell
            )
        column, row = (round(float(v)) for v in self._pixels(np.array([x, y])))
        if not (0 <= row < self._clearance.shape[0] and 0 <= column < self._clearance.shape[1]):
            return 0.0
        return float(self._clearance[row, column])

    def draw_point(
        self, rng: np.random.Generator, clearance_m: float, reach: float = 1.0, attempts: int = 40
    ) -> tuple[float, float] | None:
        """
        Return a random point with at least this clearance, or None if none was found.

        :param reach: size of the sampled area around the centre, as a share of the map.
        """
        for _ in range(attempts):
            x, y = (float(rng.uniform(-h, h)) * reach for h in self._half)
            if self.clearance(x, y) >= clearance_m:
                return x, y
        return None


def level_ground(_x: float, _y: float) -> float:
    """Return the height of level ground."""
    return 0.0


@dataclass
class Scene:
    """All contents of a scene; not modified after it is built."""

    free: FreeSpace
    sky: Sky
    indoor: bool
    ground: HeightFunction = level_ground
    parts: list[Part] = field(default_factory=list)
    moving_objects: list[MovingObject] = field(default_factory=list)
    lights: list[Light] = field(default_factory=list)
    ambient: Colour = (0.4, 0.4, 0.4)
    haze_per_m: float = 0.0
    sights: list[Sight] = field(default_factory=list)

    def add(self, parts: Iterable[Part]) -> None:
        """Add parts at their final position; they occupy no ground."""
        self.parts.extend(parts)

    def place(self, item: SceneObject, x: float, y: float, yaw: float = 0.0) -> None:
        """Put an object on the ground and mark its footprint as occupied."""
        self.parts.extend(item.parts_at(x, y, self.ground(x, y), yaw))
        if item.length > 0 and item.width > 0:
            self.free.block((x, y, item.length, item.width, yaw))

    def try_place(self, item: SceneObject, x: float, y: float, yaw: float = 0.0) -> bool:
        """Place an object if its footprint is free; return whether it was placed."""
        fits = self.free.fits((x, y, item.length + 0.06, item.width + 0.06, yaw))
        if fits:
            self.place(item, x, y, yaw)
        return fits

    def place_randomly(
        self, rng: np.random.Generator, item: SceneObject, reach: float = 1.0
    ) -> bool:
        """Place an object at a random free position; return whether one was found."""
        radius = math.hypot(item.length, item.width) / 2
        point = self.free.draw_point(rng, min(radius, 1.5) + 0.15, reach)
        return point is not None and self.try_place(
            item, *point, yaw=float(rng.uniform(0, 2 * math.pi))
        )
