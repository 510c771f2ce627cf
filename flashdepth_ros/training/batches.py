"""Convert samples to network input."""

from functools import cache

import torch
from torch import Tensor

from flashdepth_ros.runtime.preprocess import MEAN, STD

CHUNK = 8
"""Frames per forward pass without gradients; limits memory and does not change results."""


def normalise(rgb: Tensor) -> Tensor:
    """Return normalised frames (B, T, 3, H, W) float32, the network input, from uint8 RGB."""
    mean, std = _mean_and_std(rgb.device)
    return (rgb.float() / 255.0 - mean) / std


@cache
def _mean_and_std(device: torch.device) -> tuple[Tensor, ...]:
    """Return both (3, 1, 1) on a device: a copy to a GPU would wait for all that it computes."""
    return tuple(torch.tensor(values, device=device).view(3, 1, 1) for values in (MEAN, STD))
