"""The interface of all inference engines."""

from typing import Protocol

import torch
from torch import Tensor

from flashdepth_ros.network import StreamState

Result = tuple[Tensor, StreamState | None]
"""Inverse depth (B, T, H, W) in 1/m, and the state after the last frame."""


class Engine(Protocol):
    """Runs one model; takes the state as an argument and returns the new state."""

    device: torch.device
    """Device of frames and state."""
    reason: str
    """Why this engine was chosen; '' if it was requested by name."""

    @property
    def name(self) -> str:
        """The name of the engine that ran the last frame."""

    @property
    def precision(self) -> str:
        """The numeric precision of the last frame."""

    def run(self, frames: Tensor, state: StreamState | None) -> Result:
        """Run `FlashDepth.forward` on frames that are on the engine's device."""

    def prepare(self, frames: Tensor) -> None:
        """Prepare for frames of this size, (N, 1, 3, H, W); return when the engine is ready."""

    def device_memory_bytes(self) -> int:
        """Return the used memory of the device; 0 on the CPU."""
