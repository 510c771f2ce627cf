"""The ground below a camera of known height, found as a plane in its depth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
import math

import numpy as np

from flashdepth_ros.camera.geometry import Float64, Intrinsics, rays
from flashdepth_ros.errors import InputError
from flashdepth_ros.runtime.scale.fit import Samples
from flashdepth_ros.runtime.scale.points import Transforms
from flashdepth_ros.runtime.scale.settings import ScaleSettings
from flashdepth_ros.runtime.scale.view import FrameView

TILT_MAX_DEG = 20.0
"""The normal of the ground differs from gravity by at most this."""
_LEVEL = (0.0, 1.0, 0.0)
_PERIOD_NS = 90_000_000
_STRIDE = 4
_HYPOTHESES = 80
_TOLERANCE = 0.06
"""A pixel is on the plane if its inverse depth differs by less than this share."""
_SHARE_MIN = 0.2
"""The ground must be this share of the pixels that look down."""
_BELOW_HORIZON = math.sin(math.radians(4.0))
_REFINEMENTS = 3


@dataclass(frozen=True)
class GroundReference:
    """
    The ground plane in a frame, at the height of the camera.

    The inverse depth of a plane is linear in the ray: 1/z = (n / d) . (x/z, y/z, 1), with its
    normal n and its distance d. So the plane is found in the network's inverse depth (RANSAC), and
    the known height gives the metres of its pixels. Obstacles and holes are not on it.
    """

    stamp_ns: int
    down: Float64
    """Direction of gravity (3,) in the optical frame, of length 1."""
    by: str
    """What the direction is from, in words."""

    def samples(self, view: FrameView, settings: ScaleSettings) -> Samples:
        """
        Return the samples of the pixels on the ground.

        :raises InputError: the lens of the camera is unknown, or there is no such plane.
        """
        camera = None if view.camera is None else view.camera.intrinsics
        if camera is None:
            raise InputError('no camera_info with a known lens: the ground cannot be found')
        height, width = view.grid.shape
        directions = _directions(camera.resized(width, height))
        inverse_depth = view.grid[::_STRIDE, ::_STRIDE].astype(np.float64).ravel()
        with np.errstate(invalid='ignore'):
            looks_down = directions @ self.down > _BELOW_HORIZON * np.linalg.norm(
                directions, axis=1
            )
            used = looks_down & (inverse_depth > 0) & np.isfinite(inverse_depth)
        directions, inverse_depth = directions[used], inverse_depth[used]
        plane = self._plane(directions, inverse_depth)
        on_plane = np.abs(directions @ plane / inverse_depth - 1) < _TOLERANCE
        normal = plane / np.linalg.norm(plane)
        directions, inverse_depth = directions[on_plane], inverse_depth[on_plane]
        metres = settings.scale_camera_height / (directions @ normal)
        near, far = settings.scale_reference_min, settings.scale_reference_max
        kept = (metres >= near) & (metres <= far)
        return Samples(
            inverse_depth[kept].astype(np.float32), (1 / metres[kept]).astype(np.float32)
        )

    def _plane(self, directions: Float64, inverse_depth: Float64) -> Float64:
        """Return n / d (3,) of the ground, in the units of the inverse depth."""
        problem = (
            f'no ground plane within {TILT_MAX_DEG:g} degrees of {self.by}: is it in view, and '
            f'are scale.base_frame and its transform right?'
        )
        if len(directions) < 3:
            raise InputError(problem)
        planes = _hypotheses(directions, inverse_depth, self.stamp_ns)
        cosines = planes @ self.down / np.linalg.norm(planes, axis=1)
        planes = planes[cosines > math.cos(math.radians(TILT_MAX_DEG))]
        if not len(planes):
            raise InputError(problem)
        errors = directions @ planes.T / inverse_depth[:, None] - 1
        # Nothing is below the ground, in contrast to a table.
        score = (np.abs(errors) < _TOLERANCE).sum(axis=0) - (errors > 2 * _TOLERANCE).sum(axis=0)
        plane = planes[int(score.argmax())]
        for _ in range(_REFINEMENTS):
            on_plane = np.abs(directions @ plane / inverse_depth - 1) < _TOLERANCE
            share = float(on_plane.mean())
            if share < _SHARE_MIN:
                raise InputError(f'{problem} (the best one has {100 * share:.0f} % of the pixels)')
            relative = directions[on_plane] / inverse_depth[on_plane, None]
            plane = np.linalg.lstsq(relative, np.ones(len(relative)), rcond=None)[0]
        if plane @ self.down < math.cos(math.radians(TILT_MAX_DEG)) * np.linalg.norm(plane):
            raise InputError(problem)
        return np.asarray(plane)


class GroundObserver:
    """
    Makes a reference of the ground for frames, ten times a second at most.

    :param transforms: give the direction of gravity, as -z of `scale.base_frame`; without them the
        camera is taken as level.
    """

    def __init__(self, transforms: Transforms) -> None:
        self._transforms = transforms
        self._last_ns = 0

    def reference(self, view: FrameView, settings: ScaleSettings) -> GroundReference | None:
        """Return the reference of a frame; None: the last one is too recent."""
        if 0 <= view.stamp_ns - self._last_ns < _PERIOD_NS:
            return None
        self._last_ns = view.stamp_ns
        base = settings.scale_base_frame
        try:
            to_camera = self._transforms.between(base, view.frame_id, view.stamp_ns)
        except InputError:
            level = np.array(_LEVEL)
            by = f'the down axis of a level camera (no transform from {base!r})'
            return GroundReference(view.stamp_ns, level, by)
        return GroundReference(view.stamp_ns, -to_camera[:3, 2], f'the down axis of {base!r}')


@lru_cache(maxsize=4)
def _directions(camera: Intrinsics) -> Float64:
    """Return x/z, y/z and 1 of the pixels of a grid (N, 3), NaN where unknown."""
    strided = rays(camera)[::_STRIDE, ::_STRIDE].astype(np.float64)
    ones = np.ones_like(strided[..., :1])
    return np.concatenate((strided, ones), axis=-1).reshape(-1, 3)


def _hypotheses(directions: Float64, inverse_depth: Float64, seed: int) -> Float64:
    """Return the planes (N, 3) through three random pixels each."""
    random = np.random.default_rng(abs(seed))
    chosen = random.integers(0, len(directions), (_HYPOTHESES, 3))
    a, b, c = np.moveaxis(directions[chosen], 1, 0)
    crosses = np.stack((np.cross(b, c), np.cross(c, a), np.cross(a, b)), axis=1)
    volumes = np.einsum('hi,hi->h', a, crosses[:, 0])
    sums = np.einsum('hk,hki->hi', inverse_depth[chosen], crosses)
    solvable = np.abs(volumes) > 1e-6
    return np.asarray(sums[solvable] / volumes[solvable, None])
