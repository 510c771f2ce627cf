"""Cross-attention that adds features of the context branch to the student's path."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from flashdepth_ros.network.attention import attend
from flashdepth_ros.network.config import FusionConfig
from flashdepth_ros.network.decoder import cells_per_patch

INITIAL_POSITION_GAIN = 3.4
"""With this gain a token attends to about a twentieth of the frame before training."""


class PositionEncodings(NamedTuple):
    """Position encodings of the tokens (N, D) and of the context (M, D); D: width of a head."""

    tokens: Tensor
    context: Tensor


class CrossAttention(nn.Module):
    """Attention from tokens (B, N, C) to context (B, M, C), optionally with positions."""

    def __init__(self, width: int, heads: int, position_encoding: bool) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.output = nn.Linear(width, width)
        self.nearness = None  # The gain of the positions; named so in the weight files.
        if position_encoding:
            self.nearness = nn.Parameter(torch.full((width,), INITIAL_POSITION_GAIN))
            nn.init.zeros_(self.query.weight)
            nn.init.zeros_(self.key_value.weight[:width])

    def forward(
        self, tokens: Tensor, context: Tensor, positions: PositionEncodings | None
    ) -> Tensor:
        query = self.query(tokens)
        key, value = self.key_value(context).chunk(2, dim=-1)
        if self.nearness is not None and positions is not None:
            query, key = (
                part + (self.nearness * encoding.repeat(1, self.heads)).to(part.dtype)
                for part, encoding in zip((query, key), positions, strict=True)
            )
        return self.output(attend(query, key, value, self.heads))


class Block(nn.Module):
    """Pre-norm cross-attention and MLP with residual connections; both output 0 at first."""

    def __init__(self, width: int, config: FusionConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.context_norm = nn.LayerNorm(width)
        self.attention = CrossAttention(width, config.heads, config.position_encoding)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        for last in (self.attention.output, self.mlp[2]):
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(
        self, tokens: Tensor, context: Tensor, positions: PositionEncodings | None
    ) -> Tensor:
        attended = self.attention(self.norm1(tokens), self.context_norm(context), positions)
        tokens = tokens + attended
        return tokens + self.mlp(self.norm2(tokens))


class Fusion(nn.Module):
    """Lets the student's path (B, C, h, w) attend to the context path (B, C', h', w')."""

    def __init__(self, width: int, context_width: int, config: FusionConfig) -> None:
        super().__init__()
        self.context_projection = nn.Linear(context_width, width)
        self.blocks = nn.ModuleList(Block(width, config) for _ in range(config.blocks))
        self.frequencies = width // config.heads // 4 if config.position_encoding else 0
        self.cells_per_patch = cells_per_patch(config.level)

    def forward(self, path: Tensor, context: Tensor) -> Tensor:
        positions = None
        if self.frequencies:
            positions = PositionEncodings(self._encode_grid(path), self._encode_grid(context))
        tokens = path.flatten(2).transpose(1, 2)
        projected = self.context_projection(context.flatten(2).transpose(1, 2))
        for block in self.blocks:
            tokens = block(tokens, projected, positions)
        return tokens.transpose(1, 2).unflatten(2, path.shape[-2:])

    def _encode_grid(self, path: Tensor) -> Tensor:
        """
        Return sines and cosines of the rows and columns of a path, (h * w, D).

        The product of two encodings decreases with their distance (arXiv 1706.03762, 3.5).
        """
        rows, columns = (
            _encode(_cell_centres(cells, self.cells_per_patch, path.device), self.frequencies)
            for cells in path.shape[-2:]
        )
        grid = rows[:, None].expand(-1, len(columns), -1), columns.expand(len(rows), -1, -1)
        return torch.cat(grid, dim=-1).flatten(0, 1)


def _cell_centres(cells: int, cells_per_patch: int, device: torch.device) -> Tensor:
    """Return cell positions, 0 to 1 over the frame, from the first patch centre to the last."""
    patches = cells // cells_per_patch
    return torch.linspace(0.5 / patches, 1 - 0.5 / patches, cells, device=device)


def _encode(positions: Tensor, frequencies: int) -> Tensor:
    """Return sines and cosines of positions (N,), each frequency twice the one before."""
    factors = 2 ** torch.arange(frequencies, device=positions.device)
    angles = math.pi * positions[:, None] * factors
    return torch.cat((angles.sin(), angles.cos()), dim=-1)
