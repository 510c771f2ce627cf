"""True depth of a still image at the pixels that are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flashdepth_ros.camera.geometry import Float32
from flashdepth_ros.camera.sampling import is_dense, resample, stride_for, subsample
from flashdepth_ros.errors import InputError
from flashdepth_ros.evaluation.paired_bag import mask_outside_limits
from flashdepth_ros.evaluation.protocol import Protocol
from flashdepth_ros.stills.still import Still


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
    def read(still: Still, protocol: Protocol) -> TruthMap:
        """
        Read the depth of an image; a dense map is subsampled to the protocol's number of pixels.

        :raises InputError: the file cannot be read, or nothing is within the limits.
        """
        known = mask_outside_limits(still.true_depth(), protocol)
        if not np.isfinite(known).any():
            raise InputError(
                f'{still.depth.name}: no depth between {protocol.depth_min_m:g} and '
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
