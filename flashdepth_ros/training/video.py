"""What every source of training data gives, be it a clip on disk or a sequence of a real set."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Window(NamedTuple):
    """A few frames of one video, in order of time."""

    rgb: NDArray[np.uint8]
    """(T, H, W, 3)."""
    inverse_depth: NDArray[np.float32]
    """(T, H, W) in 1/m: 0 infinitely far, NaN unknown."""


class Video(Protocol):
    """Frames of one camera in order of time, read by their place."""

    @property
    def length(self) -> int:
        """Return the number of frames."""

    def read(self, frames: Sequence[int]) -> Window:
        """Read the frames of these places, in this order."""
