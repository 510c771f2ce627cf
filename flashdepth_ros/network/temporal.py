"""The recurrent module that aligns frames over time, and its state."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from flashdepth_ros.errors import InputError
from flashdepth_ros.network.config import TemporalConfig
from flashdepth_ros.network.decoder import resize
from flashdepth_ros.network.mamba2 import Mixer


class StreamState(NamedTuple):
    """
    State of the recurrence after a frame; its shape does not depend on the image size.

    Save it with `torch.save(state._asdict(), path)`, restore it with `StreamState(**...)`.
    """

    ssm: Tensor
    """(B, blocks, heads, head_dim, state_dim) float32: S of every Mamba-2 block; 0 at first."""

    @staticmethod
    def join(states: 'Sequence[StreamState | None]') -> 'StreamState | None':
        """Join the states of several streams into a batch; None is a stream that starts."""
        existing = next((state for state in states if state is not None), None)
        if existing is None:
            return None
        start = torch.zeros_like(existing.ssm[:1])
        return StreamState(torch.cat([start if state is None else state.ssm for state in states]))

    def split(self) -> 'list[StreamState]':
        """Return the state of each stream of the batch separately."""
        return [StreamState(part) for part in self.ssm.split(1)]

    def is_finite(self) -> bool:
        """Return whether all values are finite."""
        return bool(self.ssm.isfinite().all())

    def fits(self, _height: int, _width: int) -> bool:
        """Return True: the state does not depend on the size of the frames."""
        return True

    def after(self, update: 'Sequence[Tensor]', *, reuse: bool = False) -> 'StreamState':  # noqa: ARG002
        """Return the state after the frames of `FlashDepth.step`; there is nothing to reuse."""
        return StreamState(*update)

    def unproven_parts(self) -> tuple[Tensor, ...]:
        """Return the parts that can be non-finite although the prediction is finite."""
        return (self.ssm,)

    def selected(self, update: 'Sequence[Tensor]') -> 'StreamState':
        """Return the same as `after`."""
        return self.after(update)

    def memory_bytes(self) -> int:
        """Return the memory of the state."""
        return self.ssm.nbytes


class Block(nn.Module):
    """Pre-norm Mamba-2 mixer and MLP with residual connections."""

    def __init__(self, width: int, config: TemporalConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.mixer = Mixer(width, config.expand, config.head_dim, config.state_dim)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        mixed, state = self.mixer(self.norm1(tokens), state)
        tokens = tokens + mixed
        return tokens + self.mlp(self.norm2(tokens)), state


class Temporal(nn.Module):
    """
    Pools a path (B * T, C, h, w) tenfold, aligns its tokens over time and adds them to the path.

    The last layer starts at zero: untrained, the module changes nothing.
    """

    def __init__(self, width: int, config: TemporalConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, config) for _ in range(config.blocks))
        self.output = nn.Linear(width, width)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)
        heads = config.expand * width // config.head_dim
        self.state_shape = (config.blocks, heads, config.head_dim, config.state_dim)

    def pool(self, path: Tensor, batch: int) -> Tensor:
        """Return the tokens (B, T, l, C) of a path, in raster order."""
        tokens = F.adaptive_avg_pool2d(path, _pooled_size(path)).flatten(2).transpose(1, 2)
        return tokens.unflatten(0, (batch, -1))

    def forward(self, tokens: Tensor, state: StreamState) -> tuple[Tensor, StreamState]:
        """Align tokens (B, T, l, C) from a state on; return them and the state after the last."""
        states = []
        for block, before in zip(self.blocks, state.ssm.unbind(1), strict=True):
            tokens, after = block(tokens, before)
            states.append(after)
        return tokens, StreamState(torch.stack(states, dim=1))

    def add_to(self, path: Tensor, tokens: Tensor) -> Tensor:
        """
        Return a path (N, C, h, w) plus the last layer of its aligned tokens (N, l, C).

        Channels are last in the memory of the result, as the convolutions after it compute
        fastest.
        """
        change = tokens.transpose(1, 2).unflatten(2, _pooled_size(path))
        change = F.gelu(resize(change, (path.shape[-2], path.shape[-1])))
        # baddbmm: one operation for product and sum.
        cells, change = (maps.flatten(2).transpose(1, 2) for maps in (path, change))
        added = torch.baddbmm(cells, change, self.output.weight.T.expand(len(path), -1, -1))
        return added.add_(self.output.bias).transpose(1, 2).unflatten(2, path.shape[-2:])

    def initial_state(self, batch: int, device: torch.device) -> StreamState:
        """Return the state of `batch` streams before their first frame."""
        return StreamState(torch.zeros(batch, *self.state_shape, device=device))

    def check_state(self, state: object, batch: int) -> StreamState:
        """
        Return the state in float32 if it has this module's shape for `batch` streams.

        :raises InputError: it is the state of another model or of another number of streams.
        """
        expected = (batch, *self.state_shape)
        if isinstance(state, StreamState) and tuple(state.ssm.shape) == expected:
            return StreamState(state.ssm.float())
        shape = (
            f'shape {tuple(state.ssm.shape)}' if isinstance(state, StreamState) else 'another kind'
        )
        raise InputError(
            f'state of {shape} given, {expected} expected: '
            'pass the state that the same model returned for these streams, or None'
        )


def _pooled_size(path: Tensor) -> tuple[int, int]:
    return max(1, int(0.1 * path.shape[-2])), max(1, int(0.1 * path.shape[-1]))
