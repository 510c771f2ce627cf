"""
Temporal attention of Video Depth Anything (arXiv 2501.12375), over windows and over streams.

Symbols: B streams, T frames, P = h * w positions of a map, C channels, S slots of a cache.
"""

from collections.abc import Sequence
import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from flashdepth_ros.errors import InputError
from flashdepth_ros.network.attention import attend
from flashdepth_ros.network.config import PATCH, WINDOW

LAYERS = 2
"""Attention layers of a module."""
SPAN = 41
"""Number of preceding frames that the cache of a stream holds, beside the very first one."""
_RECENT = 29
"""The frames of age 1 to 29 take part in the attention, and those of age 41 and the first one."""
_GROUPS = 32


class AttentionState(NamedTuple):
    """
    The cache of B streams: what the attention layers of the preceding frames took in.

    Slot 0 of a cache holds the first frame of the sequence, slot 1 + (n modulo 41) the last one of
    that index n. The size of the caches depends on the size of the frames. Save a state with
    `torch.save(state._asdict(), path)`, restore it with `AttentionState(**...)`.
    """

    map3: Tensor
    """(B, 2, h, w, S, C), of the module on level 3's reassembled map, on the patch grid."""
    map4: Tensor
    path4: Tensor
    path3: Tensor
    seen: Tensor
    """(B,) int64, number of frames since the start of each stream."""

    @staticmethod
    def join(states: 'Sequence[AttentionState | None]') -> 'AttentionState | None':
        """
        Join the states of several streams into a batch; None is a stream that starts.

        :raises InputError: they are of frames of several sizes.
        """
        sizes = {tuple(state.map3.shape[2:4]) for state in states if state is not None}
        if len(sizes) > 1:
            raise InputError('states of frames of several sizes given: join those of one size')
        existing = next((state for state in states if state is not None), None)
        if existing is None:
            return None
        start = AttentionState(*(torch.zeros_like(part[:1]) for part in existing))
        return AttentionState(
            *map(torch.cat, zip(*(state or start for state in states), strict=True))
        )

    def split(self) -> 'list[AttentionState]':
        """Return the state of each stream of the batch separately."""
        return [
            AttentionState(*parts) for parts in zip(*(part.split(1) for part in self), strict=True)
        ]

    def fits(self, height: int, width: int) -> bool:
        """Return whether the state is that of frames of this size, px."""
        return tuple(self.map3.shape[2:4]) == (height // PATCH, width // PATCH)

    def after(self, entries: 'Sequence[Tensor]', *, reuse: bool = False) -> 'AttentionState':
        """
        Return the state after one more frame.

        :param entries: what the attention layers of each module took in, (B, 2, h, w, C).
        :param reuse: write into the memory of this state, which must not be used again.
        """
        state = self if reuse else AttentionState(*(part.clone() for part in self))
        streams = torch.arange(len(state.seen), device=state.seen.device)
        slots = 1 + state.seen % SPAN
        first = (state.seen == 0).view(-1, 1, 1, 1, 1)
        for cache, entry in zip(state, entries, strict=False):
            cache[streams, :, :, :, slots] = entry.to(cache.dtype)
            cache[..., 0, :] = torch.where(first, entry.to(cache.dtype), cache[..., 0, :])
        return state._replace(seen=state.seen + 1)

    def unproven_parts(self) -> tuple[Tensor, ...]:
        """Return nothing: what is cached of a frame was part of its prediction."""
        return ()

    def selected(self, entries: 'Sequence[Tensor]') -> 'AttentionState':
        """Return the same as `after`, by selections alone: for graphs, which write nowhere."""
        slot, seen = torch.arange(1 + SPAN, device=self.seen.device), self.seen.unsqueeze(1)
        written = (slot == 1 + seen % SPAN) | ((slot == 0) & (seen == 0))
        written = written[:, None, None, None, :, None]
        caches = (
            torch.where(written, entry.to(cache.dtype).unsqueeze(-2), cache)
            for cache, entry in zip(self, entries, strict=False)
        )
        return AttentionState(*(*caches, self.seen + 1))

    def memory_bytes(self) -> int:
        """Return the memory of the state."""
        return sum(part.nbytes for part in self)


class CachePlaces(NamedTuple):
    """Which places of the window the slots of a cache take for the next frame of B streams."""

    slots: Tensor
    """(B, S) int64, place of each slot; -1: the slot does not take part."""
    copies: Tensor
    """(B, S) bool, whether the slot stands for another copy of the first frame."""
    frame: Tensor
    """(B,) int64, place of the next frame itself."""

    @staticmethod
    def after(seen: Tensor) -> 'CachePlaces':
        """
        Return the places after `seen` frames, (B,) int64.

        The window is: the first frame, the frame of age 41, those of age 29 to 1, the next frame.
        Frames before the first one are copies of it. The first frame itself is alone.
        """
        slot = torch.arange(SPAN, device=seen.device)
        age = 1 + (seen.unsqueeze(1) - 1 - slot) % SPAN
        place = torch.where(age <= _RECENT, WINDOW - 1 - age, -1)
        place = torch.where(age == SPAN, 1, place)
        place = F.pad(place, (1, 0), value=0)
        place = torch.where(seen.unsqueeze(1) == 0, -1, place)
        copies = F.pad(age > seen.unsqueeze(1), (1, 0), value=False)
        return CachePlaces(place, copies, torch.where(seen == 0, 0, WINDOW - 1))


class TemporalAttention(nn.Module):
    """Attention of every position of a map to the same position in the other frames."""

    encoding: Tensor

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, channels, bias=False)
        self.key = nn.Linear(channels, channels, bias=False)
        self.value = nn.Linear(channels, channels, bias=False)
        self.output = nn.Linear(channels, channels)
        self.register_buffer('encoding', _position_encoding(channels), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the attention among the frames of a window, (B, T, P, C) to (B, T, P, C)."""
        tokens = inputs + self.encoding[: inputs.shape[1], None]
        tokens = tokens.transpose(1, 2).flatten(0, 1)
        attended = attend(self.query(tokens), self.key(tokens), self.value(tokens), self.heads)
        aligned: Tensor = self.output(attended)
        return aligned.unflatten(0, (len(inputs), -1)).transpose(1, 2)

    def attend_to_cache(self, inputs: Tensor, cache: Tensor, places: CachePlaces) -> Tensor:
        """
        Return the attention of one frame (B, P, C) to a cache (B, P, S, C) and to itself.

        Keys and values of the cached frames are not computed: key and value are linear in their
        input, so the query is projected into the space of the inputs, (B, P, heads, C), and the
        weighted sum of the inputs from there. That is exact and costs a sixteenth of the products.
        """
        own = inputs + self.encoding[places.frame].unsqueeze(1)
        query = self.query(own).unflatten(-1, (self.heads, -1))
        query = torch.einsum('bphd,hdc->bphc', query, self._per_head(self.key, query.dtype))
        query = query * (query.shape[-1] // self.heads) ** -0.5

        encoding = self.encoding[places.slots.clamp(min=0)].to(query.dtype)  # (B, S, C)
        copies = places.copies[:, None, None]
        scores = query @ cache.transpose(-1, -2)
        scores = torch.where(copies, scores[..., :1], scores)
        scores = scores + torch.einsum('bphc,bsc->bphs', query, encoding)
        scores = scores.masked_fill((places.slots < 0)[:, None, None], -math.inf)
        own_score = (query * own.unsqueeze(2)).sum(-1, keepdim=True)
        weights = torch.cat((scores, own_score), dim=-1).softmax(dim=-1)
        weights, own_weight = weights[..., :-1], weights[..., -1:]

        copied = (weights * copies).sum(-1, keepdim=True)
        content = weights.masked_fill(copies, 0.0) + F.pad(copied, (0, cache.shape[-2] - 1))
        attended = content.to(cache.dtype) @ cache + own_weight * own.unsqueeze(2)
        attended = attended + torch.einsum('bphs,bsc->bphc', weights.to(query.dtype), encoding)
        attended = torch.einsum(
            'bphc,hdc->bphd', attended, self._per_head(self.value, attended.dtype)
        )
        return self.output(attended.flatten(2))

    def _per_head(self, layer: nn.Linear, dtype: torch.dtype) -> Tensor:
        return layer.weight.unflatten(0, (self.heads, -1)).to(dtype)


class FeedForward(nn.Module):
    """Linear layers with a gated GELU between them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gated = nn.Linear(channels, 2 * 4 * channels)
        self.output = nn.Linear(4 * channels, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        values, gate = self.gated(tokens).chunk(2, dim=-1)
        return self.output(values * F.gelu(gate))


class TemporalModule(nn.Module):
    """
    Two attention layers over time and a feed-forward layer, added to a map (B * T, C, h, w).

    The last layer starts at zero: untrained, the module changes nothing.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(_GROUPS, channels, eps=1e-6)
        self.input = nn.Linear(channels, channels)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(LAYERS))
        self.attentions = nn.ModuleList(TemporalAttention(channels, heads) for _ in range(LAYERS))
        self.feed_forward_norm = nn.LayerNorm(channels)
        self.feed_forward = FeedForward(channels)
        self.output = nn.Linear(channels, channels)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, maps: Tensor, frames: int) -> Tensor:
        """Align the frames of windows of `frames` frames."""
        tokens = self._tokens(maps).unflatten(0, (-1, frames))
        for norm, attention in zip(self.norms, self.attentions, strict=True):
            tokens = tokens + attention(norm(tokens))
        return self._add_to(maps, tokens.flatten(0, 1))

    def align(self, maps: Tensor, cache: Tensor, places: CachePlaces) -> tuple[Tensor, Tensor]:
        """
        Align one frame of each stream, (B, C, h, w), with its cache (B, 2, h, w, S, C).

        :return: the aligned maps, and what the attention layers took in, (B, 2, h, w, C).
        """
        tokens = self._tokens(maps)
        cache = cache.flatten(2, 3)
        entries = []
        for layer, (norm, attention) in enumerate(zip(self.norms, self.attentions, strict=True)):
            assert isinstance(attention, TemporalAttention)
            inputs = norm(tokens)
            entries.append(inputs)
            tokens = tokens + attention.attend_to_cache(inputs, cache[:, layer], places)
        taken_in = torch.stack(entries, dim=1).unflatten(2, maps.shape[-2:])
        return self._add_to(maps, tokens), taken_in

    def _tokens(self, maps: Tensor) -> Tensor:
        return self.input(self.norm(maps).flatten(2).transpose(1, 2))

    def _add_to(self, maps: Tensor, tokens: Tensor) -> Tensor:
        tokens = tokens + self.feed_forward(self.feed_forward_norm(tokens))
        change = self.output(tokens).transpose(1, 2).unflatten(2, maps.shape[-2:])
        return maps + change


def _position_encoding(channels: int) -> Tensor:
    """Return the sinusoidal encoding of the places of a window, (WINDOW, channels)."""
    place = torch.arange(WINDOW).unsqueeze(1)
    frequency = torch.exp(torch.arange(0, channels, 2) * (-math.log(10000.0) / channels))
    return torch.stack(((place * frequency).sin(), (place * frequency).cos()), dim=-1).flatten(1)
