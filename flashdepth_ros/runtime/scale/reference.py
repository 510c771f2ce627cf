"""References that know depth in metres at some pixels of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from flashdepth_ros.camera.comparison import camera_difference
from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.camera.sampling import has_aspect
from flashdepth_ros.errors import InputError
from flashdepth_ros.runtime.scale.fit import Float32, Float64, Samples
from flashdepth_ros.runtime.scale.settings import ScaleSettings
from flashdepth_ros.runtime.scale.view import FrameView, grid_indices

_ROWS_MAX, _COLUMNS_MAX = 45, 60


class Reference(Protocol):
    """Known depth at one time."""

    @property
    def stamp_ns(self) -> int:
        """Of its header."""

    def samples(self, view: FrameView, settings: ScaleSettings) -> Samples:
        """
        Return the known inverse depth, with that of a frame at the same pixels.

        :raises InputError: it does not fit the frame; the message gives the cause.
        """


@dataclass(frozen=True)
class DepthReference:
    """A depth image of the camera of the images, of any size."""

    stamp_ns: int
    frame_id: str
    shape: tuple[int, int]
    positions: Float64
    """(N, 2), row and column as shares of height and width, where depth is known."""
    depth: Float32
    """(N,) in metres."""
    camera: Intrinsics | None = None
    """Of the depth image, without distortion; None: unknown."""

    @staticmethod
    def of(
        depth: Float32, stamp_ns: int, frame_id: str, camera: Intrinsics | None = None
    ) -> DepthReference:
        """Return the reference of a depth image (H, W) in metres, unknown where not finite."""
        rows, columns = grid_indices(depth.shape, (_ROWS_MAX, _COLUMNS_MAX))
        grid = depth[np.ix_(rows, columns)]
        known = np.isfinite(grid) & (grid > 0)
        row, column = np.nonzero(known)
        height, width = depth.shape
        positions = np.stack(
            ((rows[row] + 0.5) / height, (columns[column] + 0.5) / width), axis=-1
        )
        shape = height, width
        return DepthReference(stamp_ns, frame_id, shape, positions, grid[known], camera)

    def samples(self, view: FrameView, settings: ScaleSettings) -> Samples:
        """
        Return the samples at the grid of the depth image.

        :raises InputError: its frame_id, aspect ratio or camera is not that of the images, or it
            cannot be in metres.
        """
        self._check_unit(settings)
        own, other = self.frame_id.lstrip('/'), view.frame_id.lstrip('/')
        if own and other and own != other:
            raise InputError(
                f'the reference has frame_id {self.frame_id!r}, the image has {view.frame_id!r}: '
                'align the depth to the image (RealSense: align_depth.enable)'
            )
        if not has_aspect(self.shape, view.shape):
            raise InputError(
                f'the reference has {self.shape[1]} x {self.shape[0]} px, depth has '
                f'{view.shape[1]} x {view.shape[0]} px: another aspect ratio, so it is not of the '
                'same view'
            )
        if view.camera is not None and self.camera is not None:
            difference = camera_difference(view.camera.pinhole, self.camera)
            if difference:
                raise InputError(
                    f'the reference has {difference}: it is of another camera; align it to the '
                    'image (RealSense: align_depth.enable)'
                )
        return samples_at(view, self.positions, self.depth, settings)

    def _check_unit(self, settings: ScaleSettings) -> None:
        """Refuse depth that is too far in metres, and in the range in millimetres."""
        near, far = settings.scale_reference_min, settings.scale_reference_max
        middle = float(np.median(self.depth)) if len(self.depth) else 0.0
        if middle > far and near <= middle / 1000 <= far:
            raise InputError(
                f'the reference has a median depth of {middle:.0f} m, beyond '
                f'scale.reference_max {far:g}: its numbers look like millimetres, but 32FC1 is '
                'in metres; publish them as 16UC1, or divided by 1000'
            )


def samples_at(
    view: FrameView, positions: Float64, depth: Float32, settings: ScaleSettings
) -> Samples:
    """Return the samples of depth (N,) at positions (N, 2), in the range of the reference."""
    predicted = view.at(positions)
    near, far = settings.scale_reference_min, settings.scale_reference_max
    used = (depth >= near) & (depth <= far) & np.isfinite(predicted)
    return Samples(predicted[used], np.float32(1.0) / depth[used])
