"""Samples to what the network takes, on its device."""

import torch
from torch import Tensor

from flashdepth_ros.runtime.preprocess import MEAN, STD

CHUNK = 8
"""Frames of a sequence at once where nothing is learned: bounds memory, and changes no result."""


def normalised(rgb: Tensor) -> Tensor:
    """Return frames (B, T, 3, H, W) float32 as the network takes them from uint8 RGB."""
    mean = torch.tensor(MEAN, device=rgb.device).view(3, 1, 1)
    std = torch.tensor(STD, device=rgb.device).view(3, 1, 1)
    return (rgb.float() / 255.0 - mean) / std
