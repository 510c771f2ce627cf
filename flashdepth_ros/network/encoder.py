"""DINOv2 vision transformer: turns frames into token maps (arXiv 2304.07193)."""

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from flashdepth_ros.network.attention import attend
from flashdepth_ros.network.config import PATCH, EncoderConfig

# DINOv2's interpolation offset: the scale factor is computed for a grid larger by this, which
# shifts the sample positions. The released weights were trained with it.
_INTERPOLATE_OFFSET = 0.1


class Attention(nn.Module):
    """Multi-head self-attention over tokens (B, N, C)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.output = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.qkv(tokens).chunk(3, dim=-1)
        return self.output(attend(query, key, value, self.heads))


class Block(nn.Module):
    """Pre-norm attention and MLP, each with a per-channel scale and a residual connection."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attention = Attention(dim, heads)
        self.scale1 = nn.Parameter(torch.ones(dim))
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.scale2 = nn.Parameter(torch.ones(dim))
        self.folded = False

    def forward(self, tokens: Tensor) -> Tensor:
        attended = self.attention(self.norm1(tokens))
        tokens = tokens + (attended if self.folded else self.scale1 * attended)
        changed = self.mlp(self.norm2(tokens))
        return tokens + (changed if self.folded else self.scale2 * changed)

    @torch.no_grad()
    def fold_scales(self) -> None:
        """Multiply the scales into the layers before them, which saves two products a frame."""
        if self.folded:
            return
        last = self.mlp[-1]
        assert isinstance(last, nn.Linear)
        for layer, scale in ((self.attention.output, self.scale1), (last, self.scale2)):
            layer.weight.mul_(scale.unsqueeze(1))
            layer.bias.mul_(scale)
        self.folded = True


class Encoder(nn.Module):
    """
    Turn frames (B, 3, H, W) into one map (B, C, H / 14, W / 14) for each tapped block.

    :param taps: indices of the blocks to read; later blocks are not built.
    """

    def __init__(self, config: EncoderConfig, taps: tuple[int, ...]) -> None:
        super().__init__()
        self.taps = taps
        self.grid = config.position_grid
        self.patch_embedding = nn.Conv2d(3, config.dim, PATCH, stride=PATCH)
        self.class_token = nn.Parameter(torch.zeros(1, 1, config.dim))
        self.position_embedding = nn.Parameter(torch.zeros(1, 1 + self.grid**2, config.dim))
        self.blocks = nn.ModuleList(Block(config.dim, config.heads) for _ in range(max(taps) + 1))
        self.norm = nn.LayerNorm(config.dim, eps=1e-6)
        self.embeds_by_product = False
        """Whether patches are embedded by a matrix product, which is the same sum."""
        self._cached: tuple[tuple[object, ...], Tensor] | None = None
        self._initialise()

    def _initialise(self) -> None:
        nn.init.trunc_normal_(self.position_embedding, std=0.02)
        nn.init.normal_(self.class_token, std=1e-6)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, frames: Tensor) -> list[Tensor]:
        height, width = frames.shape[-2] // PATCH, frames.shape[-1] // PATCH
        patches = self._embed(frames)
        tokens = torch.cat((self.class_token.expand(len(frames), -1, -1), patches), dim=1)
        tokens = tokens + self.positions(height, width)
        maps = []
        for index, block in enumerate(self.blocks):
            tokens = block(tokens)
            if index in self.taps:
                tapped = self.norm(tokens)[:, 1:]
                maps.append(tapped.transpose(1, 2).unflatten(2, (height, width)))
        return maps

    def _embed(self, frames: Tensor) -> Tensor:
        """Return the embedded patches (B, h * w, C) of frames (B, 3, H, W)."""
        layer = self.patch_embedding
        if not self.embeds_by_product:
            return layer(frames).flatten(2).transpose(1, 2)
        pixels = frames.unflatten(3, (-1, PATCH)).unflatten(2, (-1, PATCH))
        pixels = pixels.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)  # (B, h * w, 3 * 14^2)
        return F.linear(pixels, layer.weight.flatten(1), layer.bias)

    @property
    def cached_positions(self) -> Tensor | None:
        """The position embeddings of the last grid; None before the first one."""
        return None if self._cached is None else self._cached[1]

    def positions(self, height: int, width: int) -> Tensor:
        """Return the position embeddings (1, 1 + h * w, C) of a grid; cached for the last grid."""
        if (height, width) == (self.grid, self.grid):
            return self.position_embedding
        if (
            torch.is_grad_enabled()
            or torch.compiler.is_compiling()
            or torch.onnx.is_in_onnx_export()
        ):
            return self._resized_positions(height, width)
        source = self.position_embedding
        key = (height, width, source.data_ptr(), source._version, source.device, source.dtype)
        cached = self._cached
        if cached is None or cached[0] != key:
            # Loading weights changes the version, moving the model the address or device.
            cached = self._cached = (key, self._resized_positions(height, width))
        return cached[1]

    def _resized_positions(self, height: int, width: int) -> Tensor:
        learned = self.position_embedding.float()
        grid = learned[:, 1:].transpose(1, 2).unflatten(2, (self.grid, self.grid))
        scale = (
            (height + _INTERPOLATE_OFFSET) / self.grid,
            (width + _INTERPOLATE_OFFSET) / self.grid,
        )
        grid = F.interpolate(grid, scale_factor=scale, mode='bicubic')
        positions = torch.cat((learned[:, :1], grid.flatten(2).transpose(1, 2)), dim=1)
        return positions.to(self.position_embedding.dtype)
