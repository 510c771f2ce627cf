"""
The depth node with its network taken out: what the rest of the path costs by itself.

It is the real node in all else, pre- and postprocessing included. No user can choose this engine,
and `/diagnostics` names it 'stub'.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor

from flashdepth_ros.network import StreamState
from flashdepth_ros.node import depth_node
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.settings import create_estimator

_NEAREST, _FARTHEST = 1.0, 0.05
"""Inverse depth of the map at its top and at its bottom, 1/m."""


class StubEngine:
    """Takes the network's place: the same map for every frame, at once; the state passes by."""

    name = 'stub'
    why = ''
    precision = 'fp32'
    device = torch.device('cpu')

    def __init__(self) -> None:
        self._map = torch.empty(0)

    def run(self, frames: Tensor, state: StreamState | None) -> tuple[Tensor, StreamState | None]:
        """Return inverse depth (1, 1, h, w) that falls from row to row."""
        height, width = frames.shape[-2:]
        if self._map.shape[-2:] != (height, width):
            rows = torch.linspace(_NEAREST, _FARTHEST, height)
            self._map = rows.view(1, 1, -1, 1).repeat(1, 1, 1, width)
        return self._map, state

    def prepare(self, frames: Tensor) -> None:
        """Do nothing: it is ready for any size."""

    def device_memory_bytes(self) -> int:
        """Return 0: it runs on the CPU."""
        return 0


def load_stubbed(parameters: Parameters) -> DepthEstimator:
    """Return the estimator that the parameters name, with the stub in its network's place."""
    estimator = create_estimator(parameters)
    estimator.engine = StubEngine()
    return estimator


if __name__ == '__main__':
    sys.exit(depth_node.main(load=load_stubbed))
