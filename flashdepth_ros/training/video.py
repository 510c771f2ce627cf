"""What every source of training data gives, be it a clip on disk or a sequence of a real set."""

from collections.abc import Sequence
import math
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.camera.geometry import times_canonical
from flashdepth_ros.errors import InputError


class Window(NamedTuple):
    """A few frames of one video, in order of time."""

    rgb: NDArray[np.uint8]
    """(T, H, W, 3)."""
    inverse_depth: NDArray[np.float32]
    """(T, H, W) in 1/m: 0 infinitely far, NaN unknown."""
    focal_px: float = math.nan
    """Focal length, px; NaN unknown."""

    def canonical(self, focal: float) -> 'Window':
        """
        Return this window in the metres of a camera that sees the same picture.

        :param focal: that camera's, over the short side of the picture; 0: metres as they are.
        :raises InputError: the focal length of this window is not known.
        """
        if not focal:
            return self
        if math.isnan(self.focal_px):
            raise InputError(
                'the model learns from the focal length, and the source tells none; complete the '
                'source by its cameras, or take a model whose preset has no canonical_focal'
            )
        height, width = self.rgb.shape[1:3]
        times = times_canonical(self.focal_px, (height, width), focal)
        return self._replace(inverse_depth=self.inverse_depth * np.float32(times))


class Video(Protocol):
    """Frames of one camera in order of time, read by their place."""

    @property
    def length(self) -> int:
        """Return the number of frames."""

    def read(self, frames: Sequence[int]) -> Window:
        """Read the frames of these places, in this order."""
