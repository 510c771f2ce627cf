"""Inverse depth on its way from a GPU to page-locked host memory."""

from __future__ import annotations

from dataclasses import dataclass
import math
from typing import Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from flashdepth_ros.runtime.device_depth import DeviceDepth


class Event(Protocol):
    """An event in the work of a device, such as `torch.cuda.Event`."""

    def synchronize(self) -> None:
        """Wait on the CPU until the event is reached."""


@dataclass(frozen=True)
class HostCopy:
    """A copy of a tensor on its way to page-locked host memory."""

    source: Tensor
    """Kept alive until it is copied."""
    host: Tensor
    copied: Event

    def wait(self) -> Tensor:
        """Wait until it has arrived."""
        self.copied.synchronize()
        return self.host


@dataclass(frozen=True)
class GpuDownload:
    """Inverse depth (H, W), and before it the sum of all that has to be finite."""

    total: HostCopy
    inverse_depth: HostCopy
    on_device: DeviceDepth

    def is_finite(self) -> bool:
        """Implement `Download.is_finite`."""
        return math.isfinite(float(self.total.wait()))

    def array(self) -> npt.NDArray[np.float32]:
        """Implement `Download.array`."""
        return self.inverse_depth.wait().numpy()
