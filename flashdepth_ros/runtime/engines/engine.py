"""The one interface of what runs the network."""

from typing import Protocol

import torch
from torch import Tensor

from flashdepth_ros.network import StreamState

Result = tuple[Tensor, StreamState | None]
"""Inverse depth (B, T, H, W) in 1/m, and the state behind its last frame."""


class Engine(Protocol):
    """Runs one model; the state goes in and comes out as a value."""

    device: torch.device
    """Where frames and state lie."""
    precision: str
    name: str
    why: str
    """Why this one was taken; '' where it was asked for by name."""

    def run(self, frames: Tensor, state: StreamState | None) -> Result:
        """Do what `FlashDepth.forward` does, on frames that lie on the engine's device."""

    def prepare(self, frames: Tensor) -> None:
        """Make ready for frames of a size, however long that takes; (N, 1, 3, H, W) are such."""

    def device_memory_bytes(self) -> int:
        """Return how much of the device's own memory is taken; 0 on the CPU."""
