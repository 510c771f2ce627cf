"""True depth of a still image, read from a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from flashdepth_ros.camera.geometry import Float32
from flashdepth_ros.camera.sampling import resample, stride_for, subsample
from flashdepth_ros.errors import InputError
from flashdepth_ros.evaluation.paired_bag import mask_outside_limits
from flashdepth_ros.evaluation.protocol import Protocol

#: Least fraction of the known pixels whose right neighbour is known, too, in a dense map.
_DENSE = 0.75


@dataclass(frozen=True)
class TruthMap:
    """True depth (H, W) in metres, NaN unknown or outside the limits."""

    depth: Float32
    full_shape: tuple[int, int]
    """Shape of the file."""
    stride: int
    """The map has every n-th pixel of every n-th row; 1 if it is sparse."""
    dense: bool
    """Whether neighbouring pixels have true depth; boundaries need it."""

    @staticmethod
    def read(path: Path, units_per_metre: float, protocol: Protocol) -> TruthMap:
        """
        Read a file; a dense map is subsampled to the protocol's number of pixels.

        :param units_per_metre: of a PNG file; an NPY file has metres.
        :raises InputError: the file cannot be read, or nothing is within the limits.
        """
        depth = (
            _read_npy(path) if path.suffix.lower() == '.npy' else _read_png(path, units_per_metre)
        )
        known = mask_outside_limits(depth, protocol)
        if not np.isfinite(known).any():
            raise InputError(
                f'{path.name}: no depth between {protocol.depth_min_m:g} and '
                f'{protocol.depth_max_m:g} m; check its unit (units_per_metre), or set '
                '--depth-min and --depth-max'
            )
        dense = is_dense(known)
        # A point of a sparse map has no neighbour that stands for it.
        stride = stride_for(known.shape, protocol.pixels_max) if dense else 1
        rows, columns = known.shape
        return TruthMap(subsample(known, stride), (rows, columns), stride, dense)

    def sample(self, inverse_depth: Float32) -> Float32:
        """
        Return predicted inverse depth (H, W) at the pixels of this map.

        :raises InputError: the aspect ratios differ, so depth and image are of two cameras.
        """
        return subsample(resample(inverse_depth, self.full_shape), self.stride)


def is_dense(depth: Float32) -> bool:
    """Return whether most known pixels (H, W) have a known right neighbour, unlike a lidar's."""
    known = np.isfinite(depth)
    return np.count_nonzero(known[:, 1:] & known[:, :-1]) >= _DENSE * known[:, :-1].sum()


def _read_png(path: Path, units_per_metre: float) -> Float32:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise InputError(f'{path.name}: cannot be read as a PNG file')
    if pixels.dtype != np.uint16 or pixels.ndim != 2:
        raise InputError(
            f'{path.name}: {pixels.dtype} with shape {pixels.shape}; expected one channel of '
            '16 bits'
        )
    metres = pixels.astype(np.float32) / np.float32(units_per_metre)
    metres[pixels == 0] = np.nan
    return metres


def _read_npy(path: Path) -> Float32:
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f'{path.name}: cannot be read as an NPY file; expected an array of floating-point '
            'metres (H, W), saved by numpy.save'
        ) from error
    if not isinstance(values, np.ndarray):
        raise InputError(f'{path.name}: an NPZ archive; expected one array, saved by numpy.save')
    metres = values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values
    if metres.ndim != 2 or not np.issubdtype(metres.dtype, np.floating):
        raise InputError(
            f'{path.name}: {values.dtype} with shape {values.shape}; expected floating-point '
            'metres (H, W)'
        )
    return np.asarray(metres, np.float32)
