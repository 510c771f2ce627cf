"""The recurrent module that aligns frames over time, and the state that it carries."""

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
    All that a model remembers of the frames before: a value, the same for every image size.

    Save it with `torch.save(state._asdict(), path)`, restore it with `StreamState(**...)`.
    """

    ssm: Tensor
    """(B, blocks, heads, head_dim, state_dim) float32: S of every Mamba-2 block; 0 at first."""

    @staticmethod
    def join(states: 'Sequence[StreamState | None]') -> 'StreamState | None':
        """Batch streams, each with a state of its own; None among them is a stream that starts."""
        going_on = next((state for state in states if state is not None), None)
        if going_on is None:
            return None
        start = torch.zeros_like(going_on.ssm[:1])
        return StreamState(torch.cat([start if state is None else state.ssm for state in states]))

    def split(self) -> 'list[StreamState]':
        """Return the state of each stream of the batch by itself."""
        return [StreamState(part) for part in self.ssm.split(1)]

    def is_finite(self) -> bool:
        """Tell whether no number in it is NaN or infinite."""
        return bool(self.ssm.isfinite().all())


class Block(nn.Module):
    """A Mamba-2 mixer, then a perceptron, each pre-normed and added."""

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
    A path (B * T, C, h, w) is pooled tenfold; its tokens go through the recurrence, and are added.

    Its last layer starts at zero: untrained it changes nothing.
    """

    def __init__(self, width: int, config: TemporalConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, config) for _ in range(config.blocks))
        self.output = nn.Linear(width, width)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)
        heads = config.expand * width // config.head_dim
        self.state_shape = (config.blocks, heads, config.head_dim, config.state_dim)

    def pooled(self, path: Tensor, batch: int) -> Tensor:
        """Return the tokens (B, T, l, C) of a path, in raster order."""
        tokens = F.adaptive_avg_pool2d(path, _pooled_size(path)).flatten(2).transpose(1, 2)
        return tokens.unflatten(0, (batch, -1))

    def forward(self, tokens: Tensor, state: StreamState) -> tuple[Tensor, StreamState]:
        """Align tokens (B, T, l, C), going on from a state; return the one after them."""
        states = []
        for block, before in zip(self.blocks, state.ssm.unbind(1), strict=True):
            tokens, after = block(tokens, before)
            states.append(after)
        return tokens, StreamState(torch.stack(states, dim=1))

    def added(self, path: Tensor, tokens: Tensor) -> Tensor:
        """Return a path (N, C, h, w) plus the last layer of its aligned tokens (N, l, C)."""
        change = tokens.transpose(1, 2).unflatten(2, _pooled_size(path))
        change = F.gelu(resize(change.contiguous(), (path.shape[-2], path.shape[-1])))
        # One product that adds as it goes.
        weight = self.output.weight.expand(len(path), -1, -1)
        added = torch.baddbmm(path.flatten(2), weight, change.flatten(2))
        return added.add_(self.output.bias.unsqueeze(-1)).unflatten(2, path.shape[-2:])

    def start(self, batch: int, device: torch.device) -> StreamState:
        """Return the state of `batch` streams that have seen nothing."""
        return StreamState(torch.zeros(batch, *self.state_shape, device=device))

    def check(self, state: StreamState, batch: int) -> None:
        """
        Refuse a state that this module did not make for `batch` streams.

        :raises InputError: its shape is another model's, or another batch's.
        """
        came, expected = tuple(state.ssm.shape), (batch, *self.state_shape)
        if came != expected:
            raise InputError(
                f'state of shape {came} given, {expected} expected: '
                'pass the state that this same model returned for these streams, or None'
            )


def _pooled_size(path: Tensor) -> tuple[int, int]:
    return max(1, int(0.1 * path.shape[-2])), max(1, int(0.1 * path.shape[-1]))
