"""Cross-attention that brings the context branch's view into the student's path."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from flashdepth_ros.network.attention import attend
from flashdepth_ros.network.config import FusionConfig
from flashdepth_ros.network.decoder import cells_per_patch

NEARNESS = 3.4
"""Gain of the places at the start: a token then attends to about a twentieth of the frame."""


class Places(NamedTuple):
    """Waves that tell where the tokens lie (N, D) and where the context's (M, D); D of a head."""

    tokens: Tensor
    context: Tensor


class CrossAttention(nn.Module):
    """Attention from tokens (B, N, C) to context (B, M, C), to what lies near if `places`."""

    def __init__(self, width: int, heads: int, places: bool) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.output = nn.Linear(width, width)
        self.nearness = None
        if places:
            self.nearness = nn.Parameter(torch.full((width,), NEARNESS))
            nn.init.zeros_(self.query.weight)
            nn.init.zeros_(self.key_value.weight[:width])

    def forward(self, tokens: Tensor, context: Tensor, places: Places | None) -> Tensor:
        query = self.query(tokens)
        key, value = self.key_value(context).chunk(2, dim=-1)
        if self.nearness is not None and places is not None:
            query, key = (
                part + (self.nearness * waves.repeat(1, self.heads)).to(part.dtype)
                for part, waves in zip((query, key), places, strict=True)
            )
        return self.output(attend(query, key, value, self.heads))


class Block(nn.Module):
    """Cross-attention, then a perceptron, each pre-normed and added; both start at zero."""

    def __init__(self, width: int, config: FusionConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.context_norm = nn.LayerNorm(width)
        self.attention = CrossAttention(width, config.heads, config.places)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        for last in (self.attention.output, self.mlp[2]):
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, tokens: Tensor, context: Tensor, places: Places | None) -> Tensor:
        attended = self.attention(self.norm1(tokens), self.context_norm(context), places)
        tokens = tokens + attended
        return tokens + self.mlp(self.norm2(tokens))


class Fusion(nn.Module):
    """The student's path (B, C, h, w) attends to the context's path (B, C', h', w')."""

    def __init__(self, width: int, context_width: int, config: FusionConfig) -> None:
        super().__init__()
        self.context_projection = nn.Linear(context_width, width)
        self.blocks = nn.ModuleList(Block(width, config) for _ in range(config.blocks))
        self.octaves = width // config.heads // 4 if config.places else 0
        self.cells_per_patch = cells_per_patch(config.level)

    def forward(self, path: Tensor, context: Tensor) -> Tensor:
        places = Places(self._waves(path), self._waves(context)) if self.octaves else None
        tokens = path.flatten(2).transpose(1, 2)
        projected = self.context_projection(context.flatten(2).transpose(1, 2))
        for block in self.blocks:
            tokens = block(tokens, projected, places)
        return tokens.transpose(1, 2).unflatten(2, path.shape[-2:])

    def _waves(self, path: Tensor) -> Tensor:
        """
        Return sines and cosines of rows and columns (h * w, D), an octave apart.

        The product of two places falls with the distance between them (arXiv 1706.03762, 3.5).
        """
        rows, columns = (
            _waves(_shares(cells, self.cells_per_patch, path.device), self.octaves)
            for cells in path.shape[-2:]
        )
        grid = rows[:, None].expand(-1, len(columns), -1), columns.expand(len(rows), -1, -1)
        return torch.cat(grid, dim=-1).flatten(0, 1)


def _shares(cells: int, cells_per_patch: int, device: torch.device) -> Tensor:
    """Return the share of the frame at each cell: from the first patch's centre to the last's."""
    patches = cells // cells_per_patch
    return torch.linspace(0.5 / patches, 1 - 0.5 / patches, cells, device=device)


def _waves(shares: Tensor, octaves: int) -> Tensor:
    angles = math.pi * shares[:, None] * 2 ** torch.arange(octaves, device=shares.device)
    return torch.cat((angles.sin(), angles.cos()), dim=-1)
