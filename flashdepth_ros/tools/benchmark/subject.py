"""What the node's benchmark measures, and the images it does so with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PRELOADED = 8


@dataclass(frozen=True)
class Subject:
    """What is measured, with and without ROS around it; sizes of the images, px."""

    width: int
    height: int
    model: str
    weights: str
    device: str = 'auto'
    precision: str = 'auto'
    engine: str = 'auto'
    short_side: int = 0
    reliable: bool = False
    """Whether the node asks for every image: else what the transport loses is lost."""
    stubbed: bool = False
    """Whether a stub stands where the network would, so that the rest is seen by itself."""
    cores: int = 0
    """How many it has to itself, apart from camera and listener; 0: all share all."""


def images(subject: Subject) -> npt.NDArray[np.uint8]:
    """Return different images (N, H, W, 3): noise, which no shortcut can profit from."""
    shape = (PRELOADED, subject.height, subject.width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)
