"""The depth of one frame: there, or still to come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
import time

import numpy as np
import numpy.typing as npt
from torch import Tensor

from flashdepth_ros.camera.geometry import depth_from_inverse
from flashdepth_ros.runtime.sequence import Place
from flashdepth_ros.runtime.transfer import Download


@dataclass(frozen=True)
class StageTimes:
    """How long the stages of one frame took, ms."""

    preprocess_ms: float
    inference_ms: float
    postprocess_ms: float


@dataclass(frozen=True)
class DepthFrame:
    """What the estimator knows after one frame."""

    inverse_depth: npt.NDArray[np.float32]
    """(H, W) in 1/m, 0 = infinitely far, NaN where the network failed."""
    place: Place
    times: StageTimes

    @cached_property
    def depth(self) -> npt.NDArray[np.float32]:
        """(H, W) metres along the optical axis; +Inf = no return."""
        return depth_from_inverse(self.inverse_depth)

    @property
    def sequence_id(self) -> int:
        """Number of the sequence, counted from 0."""
        return self.place.sequence_id

    @property
    def frames_since_reset(self) -> int:
        """Frames between the sequence's first and this one."""
        return self.place.frames_since_reset

    @property
    def reset_reason(self) -> str:
        """Why the sequence started with this frame; '' where it did not."""
        return self.place.reset_reason.value


@dataclass
class PendingFrame:
    """A frame that was submitted, and what is known of it so far."""

    frame: Tensor
    """(1, 1, 3, h, w), what the network reads."""
    maps: Tensor
    """(1, 1, h, w), what it makes of it."""
    place: Place
    focal_ratio: float
    """This camera's focal length over that of the model, whose depth is to be so much longer."""
    size: tuple[int, int]
    settle: Callable[[], None]
    """Waits for the network, and starts the download."""
    preprocess_s: float
    launched_s: float
    inference_s: float = 0.0
    postprocess_s: float = 0.0
    download: Download | None = None
    error: Exception | None = None

    @property
    def in_metres(self) -> Tensor:
        """Return inverse depth (1, 1, h, w) as this camera's."""
        return self.maps if self.focal_ratio == 1.0 else self.maps / self.focal_ratio

    def result(self) -> DepthFrame:
        """
        Wait for the depth of this frame.

        :raises RuntimeError: inference failed, most likely for want of memory.
        """
        if self.download is None and self.error is None:
            self.settle()
        if self.error is not None:
            raise self.error
        assert self.download is not None
        asked_s = time.perf_counter()
        inverse_depth = self.download()
        postprocess_s = self.postprocess_s + time.perf_counter() - asked_s
        times = StageTimes(
            *(1e3 * each for each in (self.preprocess_s, self.inference_s, postprocess_s))
        )
        return DepthFrame(inverse_depth, self.place, times)
