"""The depth of one frame, finished or pending."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
import time
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from flashdepth_ros.camera.geometry import depth_from_inverse
from flashdepth_ros.runtime.sequence import SequencePosition
from flashdepth_ros.runtime.transfer import Array, Download

if TYPE_CHECKING:
    from flashdepth_ros.runtime.device_depth import DeviceDepth


@dataclass(frozen=True)
class StageTimes:
    """Durations of the stages of one frame, ms."""

    preprocess_ms: float
    inference_ms: float
    postprocess_ms: float


@dataclass(frozen=True)
class DepthFrame:
    """The estimator's result for one frame."""

    inverse_depth: npt.NDArray[np.float32]
    """(H, W) in 1/m, 0 = infinitely far, NaN where the network failed."""
    position: SequencePosition
    times: StageTimes
    on_device: DeviceDepth | None = None
    """The same on the device of the network; None: the outputs are not computed there."""

    @cached_property
    def depth(self) -> npt.NDArray[np.float32]:
        """(H, W) metres along the optical axis; +Inf = no return."""
        return depth_from_inverse(self.inverse_depth)

    @property
    def sequence_id(self) -> int:
        """Number of the sequence, starting at 0."""
        return self.position.sequence_id

    @property
    def frames_since_reset(self) -> int:
        """Index of this frame in its sequence, starting at 0."""
        return self.position.frames_since_reset

    @property
    def reset_reason(self) -> str:
        """Why the sequence started with this frame; '' for any other frame."""
        return self.position.reset_reason.value


@dataclass(eq=False)
class PendingFrame:
    """A submitted frame whose depth is not downloaded yet."""

    frame: Array
    """Network input (1, 1, 3, h, w)."""
    position: SequencePosition
    focal_ratio: float
    """This camera's focal length divided by that of the model's canonical camera."""
    size: tuple[int, int]
    finish: Callable[[PendingFrame], None]
    """Waits for the network; repeats a frame that is not finite."""
    preprocess_s: float
    launched_s: float
    prediction: Array = field(init=False)
    """Network output, inverse depth (1, 1, h, w), once it is launched."""
    inference_s: float = 0.0
    postprocess_s: float = 0.0
    download: Download | None = None
    error: Exception | None = None

    @property
    def inverse_depth(self) -> Array:
        """Return inverse depth (1, 1, h, w) in 1/m, scaled to this camera's focal length."""
        return self.prediction if self.focal_ratio == 1.0 else self.prediction / self.focal_ratio

    def result(self) -> DepthFrame:
        """
        Wait for the depth of this frame.

        :raises RuntimeError: inference failed, most likely because memory ran out.
        """
        self.finish(self)
        if self.error is not None:
            raise self.error
        assert self.download is not None
        start_s = time.perf_counter()
        inverse_depth = self.download.array()
        postprocess_s = self.postprocess_s + time.perf_counter() - start_s
        times = StageTimes(
            *(1e3 * each for each in (self.preprocess_s, self.inference_s, postprocess_s))
        )
        return DepthFrame(inverse_depth, self.position, times, self.download.on_device)
