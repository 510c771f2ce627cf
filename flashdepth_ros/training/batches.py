"""Convert samples to network input."""

import torch
from torch import Tensor

from flashdepth_ros.runtime.preprocess import MEAN, STD

CHUNK = 8
"""Frames per forward pass without gradients; limits memory and does not change results."""


def normalise(rgb: Tensor) -> Tensor:
    """Return normalised frames (B, T, 3, H, W) float32, the network input, from uint8 RGB."""
    mean = torch.tensor(MEAN, device=rgb.device).view(3, 1, 1)
    std = torch.tensor(STD, device=rgb.device).view(3, 1, 1)
    return (rgb.float() / 255.0 - mean) / std
