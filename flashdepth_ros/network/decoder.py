"""DPT decoder: merges token maps level by level into inverse depth (arXiv 2103.13413)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from flashdepth_ros.network.config import (
    LEVELS,
    PATCH,
    ConvolutionalEncoderConfig,
    DecoderConfig,
    EncoderConfig,
)
from flashdepth_ros.network.detail import Detail


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (B, C, h, w) bilinearly with aligned corners, as the released decoders do."""
    if tuple(maps.shape[-2:]) == size:
        return maps
    return F.interpolate(maps, size, mode='bilinear', align_corners=True)


class ResidualUnit(nn.Module):
    """Two 3x3 convolutions, each after a ReLU, with a residual connection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, path: Tensor) -> Tensor:
        return path + self.conv2(F.relu(self.conv1(F.relu(path))))


def _reassembly(level: int, channels: int) -> nn.Module:
    """Return the layer that resizes a map from the patch grid to the resolution of `level`."""
    if level == 4:
        return nn.Conv2d(channels, channels, 3, stride=2, padding=1)
    if level == 3:
        return nn.Identity()
    factor = 2 ** (3 - level)
    return nn.ConvTranspose2d(channels, channels, factor, stride=factor)


class Level(nn.Module):
    """One decoder level: reassembles its map and merges it with the path of the coarser level."""

    def __init__(
        self,
        level: int,
        encoder: EncoderConfig | ConvolutionalEncoderConfig,
        config: DecoderConfig,
    ) -> None:
        super().__init__()
        channels = config.channels[level - 1]
        self.project = nn.Conv2d(encoder.channels[level - 1], channels, 1)
        # The maps of a convolutional encoder have the resolution of their level already.
        on_patch_grid = isinstance(encoder, EncoderConfig)
        self.reassembly = _reassembly(level, channels) if on_patch_grid else nn.Identity()
        self.reduce = nn.Conv2d(channels, config.width, 3, padding=1, bias=False)
        self.skip_unit = ResidualUnit(config.width) if level != LEVELS[0] else None
        self.unit = ResidualUnit(config.width)
        self.output = nn.Conv2d(config.width, config.width, 1)

    def reassemble(self, tapped: Tensor) -> Tensor:
        """Turn a map of the encoder (B, C, h, w) into this level's map (B, channels, h', w')."""
        return self.reassembly(self.project(tapped))

    def forward(self, path: Tensor | None, level_map: Tensor, size: tuple[int, int]) -> Tensor:
        """Add this level's map to the coarser path and resize the sum to `size`."""
        level_map = self.reduce(level_map)
        if self.skip_unit is not None and path is not None:
            level_map = path + self.skip_unit(level_map)
        # A 1x1 convolution and a bilinear resize commute; before the resize it costs a quarter.
        return resize(self.output(self.unit(level_map)), size)


class Head(nn.Module):
    """Turn the finest path (B, width, h, w) into the output (B, H, W) before the activation."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        detail = config.detail_channels
        self.detail = Detail(config.width, detail) if detail else None
        self.conv1 = nn.Conv2d(config.width, config.width // 2, 3, padding=1)
        self.conv2 = nn.Conv2d(config.width // 2 + detail, config.head_channels, 3, padding=1)
        self.conv3 = nn.Conv2d(config.head_channels, 1, 1)
        self.finish: Callable[[Tensor, tuple[int, int]], Tensor] | None = None
        """
        Computes the output at a size from the features of `conv1` (B, width // 2, h, w), in place
        of this module; for heads without a detail path.
        """

    def forward(self, path: Tensor, size: tuple[int, int], frames: Tensor | None = None) -> Tensor:
        """
        Return the output at `size` (H, W).

        :param frames: (B, 3, H, W), needed by a head with a detail path.
        """
        if self.detail is not None and frames is not None:
            half, full = self.detail(frames)
            path = self.conv1(path + resize(half, (path.shape[-2], path.shape[-1])))
            return self._reduce(torch.cat((resize(path, size), full), dim=1))
        features = self.conv1(path)
        if self.finish is not None:
            return self.finish(features, size)
        return self._reduce(resize(features, size))

    def _reduce(self, features: Tensor) -> Tensor:
        """Return the output (B, H, W) from features of its size."""
        hidden = F.relu(self.conv2(features)).to(self.conv3.weight.dtype)
        return self.conv3(hidden).squeeze(1)

    def halve(self) -> None:
        """Compute in fp16, which has the mantissa of TF32, but for the last convolution."""
        for module in (self.detail, self.conv1, self.conv2):
            if module is not None:
                module.half()


class Decoder(nn.Module):
    """
    The decoder levels of one branch, coarse to fine, and its head.

    :param levels: the levels to build; a branch that is read at a coarse level needs no finer one.
    """

    def __init__(
        self,
        encoder: EncoderConfig | ConvolutionalEncoderConfig,
        config: DecoderConfig,
        levels: tuple[int, ...] = LEVELS,
    ) -> None:
        super().__init__()
        self.levels = nn.ModuleDict(
            {str(level): Level(level, encoder, config) for level in levels}
        )
        self.head = Head(config) if levels == LEVELS else None

    def merge(
        self,
        level: int,
        path: Tensor | None,
        tapped: Tensor,
        grid: tuple[int, int],
        align: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """
        Return the path after `level`, from the path before it and the level's map of the encoder.

        :param grid: rows and columns of patches.
        :param align: is applied to the level's reassembled map (B, channels, h', w').
        """
        module = self.levels[str(level)]
        assert isinstance(module, Level)
        level_map = module.reassemble(tapped)
        if align is not None:
            level_map = align(level_map)
        return module(path, level_map, path_size(grid, level))


def cells_per_patch(level: int) -> int:
    """Return the number of cells of the path after `level` along each side of a patch."""
    return 2 ** (4 - level)


def patch_grid(frames: Tensor) -> tuple[int, int]:
    """Return the number of rows and columns of patches of frames (..., H, W)."""
    return frames.shape[-2] // PATCH, frames.shape[-1] // PATCH


def path_size(grid: tuple[int, int], level: int) -> tuple[int, int]:
    """Return the size of the path after `level`: the next finer level's, or twice the finest."""
    factor = cells_per_patch(level)
    return factor * grid[0], factor * grid[1]


def run_head(
    head: Head, path: Tensor, grid: tuple[int, int], frames: Tensor | None = None
) -> Tensor:
    """
    Run the head always in the type of its weights.

    That is float32, or fp16 with a last layer in float32: bf16 would quantise depth in steps of
    0.4 %.
    """
    dtype = head.conv1.weight.dtype
    with torch.autocast(path.device.type, enabled=False):
        if frames is not None:
            frames = frames.to(dtype)
        return head(path.to(dtype), (PATCH * grid[0], PATCH * grid[1]), frames)
