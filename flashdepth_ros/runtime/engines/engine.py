"""The interface of all inference engines."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from flashdepth_ros.network import AttentionState, State

Result = tuple[Tensor, State | None]
"""Inverse depth (B, T, H, W), as of the network, and the state after the last frame."""
Step = Callable[[Tensor, State | None], tuple[Tensor, Sequence[Tensor]]]
"""The function `step` of a network: returns inverse depth and the argument of `State.after`."""


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

    def run(self, frames: Tensor, state: State | None, *, reuse_state: bool = False) -> Result:
        """
        Run the network on frames (B, T, 3, H, W) that are on the engine's device.

        :param reuse_state: the memory of `state` may be used for the new state, so that nothing
            is copied; `state` must then not be used again, and the engine for no other stream.
        """

    def prepare(self, frames: Tensor) -> None:
        """Prepare for frames of this size, (N, 1, 3, H, W); return when the engine is ready."""

    def device_memory_bytes(self) -> int:
        """Return the used memory of the device; 0 on the CPU."""


def run_step(step: Step, frames: Tensor, state: State | None, *, reuse_state: bool) -> Result:
    """Run a network's step on checked inputs; for temporal attention, frame by frame."""
    if not isinstance(state, AttentionState):
        inverse_depth, update = step(frames, state)
        return inverse_depth, None if state is None else state.after(update)
    estimates, given = [], state
    for frame in frames.split(1, dim=1):
        inverse_depth, update = step(frame, state)
        state = state.after(update, reuse=reuse_state or state is not given)
        estimates.append(inverse_depth)
    return torch.cat(estimates, dim=1), state
