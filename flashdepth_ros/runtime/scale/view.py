"""What is kept of a depth frame to compare it with references: a coarse grid of its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flashdepth_ros.camera.calibration import Camera
from flashdepth_ros.runtime.scale.fit import Float32, Float64

_ROWS_MAX, _COLUMNS_MAX = 120, 160


@dataclass(frozen=True)
class FrameView:
    """Inverse depth of a frame on a grid (h, w), and its camera if known."""

    stamp_ns: int
    frame_id: str
    grid: Float32
    shape: tuple[int, ...]
    """Height and width of the frame's inverse depth."""
    camera: Camera | None = None

    @staticmethod
    def of(
        inverse_depth: Float32, stamp_ns: int, frame_id: str, camera: Camera | None = None
    ) -> FrameView:
        """Return the view of a frame's inverse depth (H, W)."""
        rows, columns = grid_indices(inverse_depth.shape, (_ROWS_MAX, _COLUMNS_MAX))
        grid = inverse_depth[np.ix_(rows, columns)]
        return FrameView(stamp_ns, frame_id, grid, inverse_depth.shape, camera)

    def at(self, positions: Float64) -> Float32:
        """
        Return inverse depth (N,) at the nearest cells of the grid.

        :param positions: (N, 2), row and column as shares of the image's height and width.
        """
        shape = np.array(self.grid.shape)
        rows, columns = np.clip((positions * shape).astype(np.intp), 0, shape - 1).T
        return self.grid[rows, columns]


def grid_indices(
    shape: tuple[int, ...], largest: tuple[int, int]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the rows and columns of a grid of at most `largest` pixels, evenly spread."""
    rows, columns = (
        ((np.arange(count) + 0.5) * size / count).astype(np.intp)
        for size, count in zip(shape, map(min, shape, largest), strict=True)
    )
    return rows, columns
