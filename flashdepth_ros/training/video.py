"""The interface of training videos: clips on disk and sequences of public data sets."""

from collections.abc import Sequence
import math
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.camera.geometry import canonical_scale
from flashdepth_ros.errors import InputError


class Window(NamedTuple):
    """Some frames of one video, in temporal order."""

    rgb: NDArray[np.uint8]
    """(T, H, W, 3)."""
    inverse_depth: NDArray[np.float32]
    """(T, H, W) in 1/m; 0: infinitely far, NaN: unknown."""
    focal_px: float = math.nan
    """Focal length, px; NaN: unknown."""

    def canonical(self, focal: float, source: str) -> 'Window':
        """
        Return this window with its depth converted to the canonical camera (arXiv 2307.10984).

        :param focal: the canonical focal length divided by the short side; 0: no conversion.
        :param source: where the window is from, for the error.
        :raises InputError: the focal length of this window is unknown.
        """
        if not focal:
            return self
        if math.isnan(self.focal_px):
            raise InputError(
                f'{source}: the focal length is not known, but the model needs it; add the camera '
                'files, or use a model whose preset has no canonical_focal'
            )
        height, width = self.rgb.shape[1:3]
        ratio = canonical_scale(self.focal_px, (height, width), focal)
        return self._replace(inverse_depth=self.inverse_depth * np.float32(ratio))


class Video(Protocol):
    """Frames of one camera in temporal order, read by index."""

    @property
    def length(self) -> int:
        """Return the number of frames."""

    def name(self, frame: int) -> str:
        """Return the path of the file of a frame, for messages."""

    def read(self, frames: Sequence[int]) -> Window:
        """Read the frames of these indices, in this order."""
