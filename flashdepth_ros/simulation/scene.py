"""The value that describes a scene: what stands where, what moves, the light, where one can go."""

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
Height = Callable[[float, float], float]
# x, y of the middle, length along yaw, width across, yaw: metres and radians.
Rectangle = tuple[float, float, float, float, float]


@dataclass(frozen=True)
class Thing:
    """
    An object of true size standing on z = 0 about the origin, its front towards +x.

    `length` (x) and `width` (y) are the ground it takes, metres; nothing taken where either is 0.
    """

    parts: tuple[Part, ...]
    length: float
    width: float

    def placed(self, x: float, y: float, z: float = 0.0, yaw: float = 0.0) -> list[Part]:
        """Return the parts where the thing is to stand."""
        return [(surface, mesh.moved(x, y, z, yaw)) for surface, mesh in self.parts]


@dataclass(frozen=True)
class Limb:
    """Parts that swing about the y axis through `pivot`: sin(2 pi t rate + phase) * swing rad."""

    parts: tuple[Part, ...]
    pivot: Vector
    swing: float
    rate_hz: float
    phase: float


@dataclass(frozen=True)
class Mover:
    """A thing that goes to and fro between two ground points at a steady speed."""

    thing: Thing
    start: tuple[float, float]
    end: tuple[float, float]
    speed: float
    offset_m: float = 0.0
    limbs: tuple[Limb, ...] = ()

    def place(self, time_s: float) -> tuple[float, float, float]:
        """Return x, y in metres and the yaw in radians at a time."""
        delta = (self.end[0] - self.start[0], self.end[1] - self.start[1])
        length = max(math.hypot(*delta), 1e-6)
        way = (self.offset_m + self.speed * time_s) % (2.0 * length)
        forward = way <= length
        share = way / length if forward else 2.0 - way / length
        yaw = math.atan2(delta[1], delta[0]) + (0.0 if forward else math.pi)
        return self.start[0] + share * delta[0], self.start[1] + share * delta[1], yaw


@dataclass(frozen=True)
class Light:
    """A sun (`directional`) or a lamp; colour 0..1; `attenuation` as OpenGL's three terms."""

    position: Vector
    direction: Vector
    colour: Colour
    directional: bool = False
    shadow: bool = False
    cutoff_deg: float = 180.0
    attenuation: Vector = (1.0, 0.0, 0.0)


@dataclass(frozen=True)
class Sky:
    """Colours 0..1 of zenith and horizon, cloud cover 0..1, and the cloud pattern's seed."""

    zenith: Colour
    horizon: Colour
    clouds: float
    seed: int


class FreeSpace:
    """A ground plan of where a camera can go: distance in metres to what stands around."""

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
        """Take a rectangle of the ground."""
        cv2.fillConvexPoly(self._free, self._outline(rectangle), 0)
        self._clearance = None

    def reserve(self, rectangle: Rectangle) -> None:
        """Keep things out of a rectangle that a camera may pass: a doorway, a lane."""
        cv2.fillConvexPoly(self._reserved, self._outline(rectangle), 1)

    def fits(self, rectangle: Rectangle) -> bool:
        """Tell whether a thing may stand on a rectangle: nothing taken, nothing reserved."""
        mask = np.zeros_like(self._free)
        cv2.fillConvexPoly(mask, self._outline(rectangle), 1)
        return not bool((mask & (self._reserved | (1 - self._free))).any())

    def clearance(self, x: float, y: float) -> float:
        """Return the distance in metres from a point to the nearest taken ground or border."""
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

    def draw(
        self, rng: np.random.Generator, clearance_m: float, reach: float = 1.0, tries: int = 40
    ) -> tuple[float, float] | None:
        """
        Return a random point with that much room around it, or None.

        :param reach: share of the plan, about its middle, to draw from.
        """
        for _ in range(tries):
            x, y = (float(rng.uniform(-h, h)) * reach for h in self._half)
            if self.clearance(x, y) >= clearance_m:
                return x, y
        return None


def flat(_x: float, _y: float) -> float:
    """Return the height of level ground."""
    return 0.0


@dataclass
class Scene:
    """Everything one world holds; made once by a builder, then only read."""

    free: FreeSpace
    sky: Sky
    indoor: bool
    ground: Height = flat
    parts: list[Part] = field(default_factory=list)
    movers: list[Mover] = field(default_factory=list)
    lights: list[Light] = field(default_factory=list)
    ambient: Colour = (0.4, 0.4, 0.4)
    haze_per_m: float = 0.0

    def add(self, parts: Iterable[Part]) -> None:
        """Put parts, already in place, into the scene; they take no ground."""
        self.parts.extend(parts)

    def place(self, thing: Thing, x: float, y: float, yaw: float = 0.0) -> None:
        """Stand a thing on the ground and take its footprint."""
        self.parts.extend(thing.placed(x, y, self.ground(x, y), yaw))
        if thing.length > 0 and thing.width > 0:
            self.free.block((x, y, thing.length, thing.width, yaw))

    def fit(self, thing: Thing, x: float, y: float, yaw: float = 0.0) -> bool:
        """Stand a thing where it fits; False where it does not."""
        fits = self.free.fits((x, y, thing.length + 0.06, thing.width + 0.06, yaw))
        if fits:
            self.place(thing, x, y, yaw)
        return fits

    def scatter(self, rng: np.random.Generator, thing: Thing, reach: float = 1.0) -> bool:
        """Stand a thing anywhere there is room for it; False where there was none."""
        radius = math.hypot(thing.length, thing.width) / 2
        spot = self.free.draw(rng, min(radius, 1.5) + 0.15, reach)
        return spot is not None and self.fit(thing, *spot, yaw=float(rng.uniform(0, 2 * math.pi)))
