"""Points of another sensor, projected into the image, as a reference of the scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from flashdepth_ros.camera.projection import depth_of_points
from flashdepth_ros.camera.sampling import stride_for
from flashdepth_ros.errors import InputError
from flashdepth_ros.runtime.scale.fit import Float64, Samples
from flashdepth_ros.runtime.scale.reference import samples_at
from flashdepth_ros.runtime.scale.settings import ScaleSettings
from flashdepth_ros.runtime.scale.view import FrameView

_POINTS_MAX = 6_000
_PIXELS_MAX = 160 * 120


class Transforms(Protocol):
    """Knows the transforms between frames, such as `camera.transform_buffer.TransformBuffer`."""

    def between(self, source: str, target: str, stamp_ns: int) -> Float64:
        """Return the transform (4, 4) at a time; InputError: there is none."""


@dataclass(frozen=True)
class PointReference:
    """Points (N, 3) in metres in the frame of their sensor."""

    stamp_ns: int
    frame_id: str
    points: Float64
    transforms: Transforms

    @staticmethod
    def of(
        points: Float64, stamp_ns: int, frame_id: str, transforms: Transforms
    ) -> PointReference:
        """Return the reference of points (N, 3); of very many, some are used."""
        step = -(-len(points) // _POINTS_MAX) or 1
        return PointReference(stamp_ns, frame_id, points[::step], transforms)

    def samples(self, view: FrameView, settings: ScaleSettings) -> Samples:
        """
        Return the samples at the pixels of the points, without those occluded from the camera.

        :raises InputError: the lens of the camera or the transform to it is unknown, or no point
            is in the image.
        """
        camera = None if view.camera is None else view.camera.intrinsics
        if view.camera is None or camera is None:
            raise InputError('no camera_info with a known lens: points cannot be projected')
        to_camera = self.transforms.between(self.frame_id, view.frame_id, self.stamp_ns)
        points = self.points @ to_camera[:3, :3].T + to_camera[:3, 3]
        stride = stride_for((camera.height, camera.width), _PIXELS_MAX)
        shape = camera.height // stride, camera.width // stride
        depth = depth_of_points(points, camera, shape, stride)
        known = np.isfinite(depth)
        if not known.any():
            raise InputError(
                f'no overlap: none of {len(points)} points of {self.frame_id!r} is in the image; '
                'is the transform right?'
            )
        positions = (np.argwhere(known) * stride + stride // 2 + 0.5) / np.array(
            view.camera.size[::-1]
        )
        return samples_at(view, positions, depth[known], settings)
