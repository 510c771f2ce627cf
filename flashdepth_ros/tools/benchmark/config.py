"""The configuration of the node's benchmark, and its test images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IMAGES = 8
"""The number of different test images."""


@dataclass(frozen=True)
class BenchmarkConfig:
    """What is measured, with and without ROS; width and height of the images, px."""

    width: int
    height: int
    model: str
    weights: str
    device: str = 'auto'
    precision: str = 'auto'
    engine: str = 'auto'
    short_side: int = 0
    reliable: bool = False
    """Whether the node subscribes to the images with reliable QoS instead of best effort."""
    stubbed: bool = False
    """Whether a stub replaces the network, to measure the rest of the path."""
    cores: int = 0
    """Number of cores reserved for the measured process; 0: all processes share all cores."""


def create_images(config: BenchmarkConfig) -> npt.NDArray[np.uint8]:
    """Return different images (N, H, W, 3) of uniform noise."""
    shape = (IMAGES, config.height, config.width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)
