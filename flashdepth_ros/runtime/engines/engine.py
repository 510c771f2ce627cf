"""The interface of all inference engines; it needs no PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from flashdepth_ros.runtime.preprocess import FixedSize
from flashdepth_ros.runtime.transfer import Array, Transfer


class EngineState(Protocol):
    """The state of streams after a frame, such as `network.State`."""

    def fits(self, _height: int, _width: int) -> bool:
        """Return whether the next frames may have this size, px."""

    def memory_bytes(self) -> int:
        """Return the memory of the state."""

    def unproven_parts(self) -> Sequence[Array]:
        """Return the parts that can be non-finite although the prediction is finite."""


class Engine(Protocol):
    """Runs one model; takes the state as an argument and returns the new state."""

    reason: str
    """Why this engine was chosen; '' if it was requested by name."""

    @property
    def device(self) -> Any:
        """Device of frames and state; its text is 'cpu' or 'cuda:N'."""

    @property
    def name(self) -> str:
        """The name of the engine that ran the last frame."""

    @property
    def precision(self) -> str:
        """The numeric precision of the last frame."""

    @property
    def input_size(self) -> FixedSize | None:
        """The only size of frames that it takes; None: any."""

    def create_transfer(self) -> Transfer:
        """Return what copies images and inverse depth of one stream."""

    def run(
        self, frames: Array, state: Any, *, reuse_state: bool = False
    ) -> tuple[Array, EngineState | None]:
        """
        Run the network on frames (B, T, 3, H, W) that are on the engine's device.

        :param state: the state that the previous call returned for these streams; None starts
            new sequences.
        :param reuse_state: the memory of `state` may be used for the new state, so that nothing
            is copied; `state` must then not be used again, and the engine for no other stream.
        :return: inverse depth (B, T, H, W), as of the network, and the state after the last frame.
        """

    def prepare(self, frames: Array) -> None:
        """Prepare for frames of this size, (N, 1, 3, H, W); return when the engine is ready."""

    def device_memory_bytes(self) -> int:
        """Return the used memory of the device; 0 on the CPU."""
