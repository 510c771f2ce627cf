"""The step of a network: frame by frame, and as a module that torch.export turns into a graph."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from flashdepth_ros.network import AttentionState, Network, State

Result = tuple[Tensor, State | None]
"""Inverse depth (B, T, H, W), as of the network, and the state after the last frame."""
Step = Callable[[Tensor, State | None], tuple[Tensor, Sequence[Tensor]]]
"""The function `step` of a network: returns inverse depth and the argument of `State.after`."""


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


class NetworkStep(nn.Module):
    """
    Estimates one frame; takes and returns plain tensors.

    :param state: any state for the frames, whose type the parts will have; None: it keeps none.
    """

    def __init__(self, model: Network, state: State | None) -> None:
        super().__init__()
        self.model = model
        self._state_type = None if state is None else type(state)

    def forward(self, frames: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        """Return inverse depth, and the parts of the argument of `State.after`."""
        state = None if self._state_type is None else self._state_type(*parts)
        inverse_depth, update = self.model.step(frames, state)
        return inverse_depth, *update


class CompleteStep(NetworkStep):
    """The same with the next state itself, so that a graph needs no code beside it."""

    def __init__(self, model: Network, state: State | None, dtype: torch.dtype) -> None:
        super().__init__(model, state)
        self._dtype = dtype

    def forward(self, frames: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        """Return inverse depth, and the parts of the next state."""
        with torch.autocast('cpu', self._dtype, enabled=self._dtype != torch.float32):
            inverse_depth, *update = super().forward(frames, *parts)
        if self._state_type is None:
            return (inverse_depth,)
        return inverse_depth, *self._state_type(*parts).selected(update)
