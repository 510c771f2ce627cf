"""EfficientNet-Lite (arXiv 1905.11946): a convolutional encoder with pretrained weights."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from flashdepth_ros.network.config import LEVELS, ConvolutionalEncoderConfig
from flashdepth_ros.network.decoder import patch_grid, path_size, resize


class Stage(NamedTuple):
    """A stage: blocks of the same width, of which the first one reduces the resolution."""

    blocks: int
    kernel: int
    stride: int
    expand: int
    inputs: int
    outputs: int


LITE0 = (
    Stage(1, 3, 1, 1, 32, 16),
    Stage(2, 3, 2, 6, 16, 24),
    Stage(2, 5, 2, 6, 24, 40),
    Stage(3, 3, 2, 6, 40, 80),
    Stage(3, 5, 1, 6, 80, 112),
    Stage(4, 5, 2, 6, 112, 192),
    Stage(1, 3, 1, 6, 192, 320),
)
"""The stages of EfficientNet-Lite0, after a stem of stride 2."""


class Convolution(nn.Conv2d):
    """
    A convolution with bias, which contains a folded batch norm.

    Padded as in TensorFlow, where the weights come from: the output has 1/stride of the size,
    rounded up, and the extra column or row of zeros is at the end.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups)

    def forward(self, maps: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        rows, columns = (
            max(0, -(-size // stride) * stride - stride + kernel - size)
            for size in maps.shape[-2:]
        )
        if rows % 2 == columns % 2 == 0:
            padding = rows // 2, columns // 2
        else:
            maps = F.pad(maps, (columns // 2, -(-columns // 2), rows // 2, -(-rows // 2)))
            padding = 0, 0
        mixed = torch.is_grad_enabled() and torch.is_autocast_enabled('cpu')
        if self.groups == 1 or maps.device.type != 'cpu' or not mixed:
            return self._convolve(maps, padding)
        # Depthwise, gradients in bf16 take 4 to 8 times the time of those in float32.
        with torch.autocast('cpu', enabled=False):
            return self._convolve(maps.float(), padding).to(maps.dtype)

    def _convolve(self, maps: Tensor, padding: tuple[int, int]) -> Tensor:
        return F.conv2d(maps, self.weight, self.bias, self.stride, padding, groups=self.groups)


class Block(nn.Module):
    """An inverted residual: expand, filter each channel by itself, project; ReLU6 between."""

    def __init__(self, stage: Stage, first: bool) -> None:
        super().__init__()
        inputs = stage.inputs if first else stage.outputs
        stride = stage.stride if first else 1
        inner = inputs * stage.expand
        self.expand = Convolution(inputs, inner, 1, 1, 1) if stage.expand > 1 else None
        self.filter = Convolution(inner, inner, stage.kernel, stride, inner)
        self.project = Convolution(inner, stage.outputs, 1, 1, 1)
        self.residual = inputs == stage.outputs and stride == 1

    def forward(self, maps: Tensor) -> Tensor:
        inner = maps if self.expand is None else F.relu6(self.expand(maps))
        projected = self.project(F.relu6(self.filter(inner)))
        return maps + projected if self.residual else projected


class ConvolutionalEncoder(nn.Module):
    """
    Turn frames (B, 3, H, W) into one map (B, C, h, w) for each decoder level, of its resolution.

    :param levels: decoder levels, from fine to coarse; stages after their taps are not built.
    """

    def __init__(self, config: ConvolutionalEncoderConfig, levels: Sequence[int]) -> None:
        super().__init__()
        self._taps = {config.taps[level - 1]: level for level in levels}
        self.stem = Convolution(3, LITE0[0].inputs, 3, 2, 1)
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(stage, index == 0) for index in range(stage.blocks)))
            for stage in LITE0[: max(self._taps) + 1]
        )

    def forward(self, frames: Tensor) -> list[Tensor]:
        grid = patch_grid(frames)
        maps, tapped = F.relu6(self.stem(frames)), []
        for index, stage in enumerate(self.stages):
            maps = stage(maps)
            if index in self._taps:
                tapped.append(resize(maps, _level_size(grid, self._taps[index])))
        return tapped


def _level_size(grid: tuple[int, int], level: int) -> tuple[int, int]:
    """Return the size of a level's map: that of the path before it."""
    if level == LEVELS[0]:
        return -(-grid[0] // 2), -(-grid[1] // 2)
    return path_size(grid, level + 1)
