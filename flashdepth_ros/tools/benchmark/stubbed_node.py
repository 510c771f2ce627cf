"""
The depth node with a stub for its network, to measure the rest of the path.

Everything else is that of the real node, including pre- and postprocessing. The parameter `engine`
does not offer this engine; `/diagnostics` names it 'stub'.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor

from flashdepth_ros.entry_point import run_process
from flashdepth_ros.network import State
from flashdepth_ros.node import process
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.settings import create_estimator
from flashdepth_ros.runtime.tensor_transfer import CpuTensorTransfer
from flashdepth_ros.runtime.transfer import Transfer

_NEAREST, _FARTHEST = 1.0, 0.05
"""Inverse depth of the map at its top and at its bottom, 1/m."""


class StubEngine:
    """Replaces the network: returns the same map for every frame, and the state unchanged."""

    name = 'stub'
    reason = ''
    precision = 'fp32'
    device = torch.device('cpu')
    input_size = None

    def __init__(self) -> None:
        self._map = torch.empty(0)

    def create_transfer(self) -> Transfer:
        """Return that of the CPU."""
        return CpuTensorTransfer()

    def run(
        self,
        frames: Tensor,
        state: State | None,
        *,
        reuse_state: bool = False,  # noqa: ARG002
    ) -> tuple[Tensor, State | None]:
        """Return inverse depth (1, 1, h, w) that decreases from row to row."""
        height, width = frames.shape[-2:]
        if self._map.shape[-2:] != (height, width):
            rows = torch.linspace(_NEAREST, _FARTHEST, height)
            self._map = rows.view(1, 1, -1, 1).repeat(1, 1, 1, width)
        return self._map, state

    def prepare(self, frames: Tensor) -> None:
        """Do nothing: the stub accepts any size."""

    def device_memory_bytes(self) -> int:
        """Return 0: the stub runs on the CPU."""
        return 0


def load_stubbed(parameters: Parameters) -> DepthEstimator:
    """Return the estimator for the parameters, with the stub instead of its network."""
    estimator = create_estimator(parameters)
    estimator.engine = StubEngine()
    return estimator


if __name__ == '__main__':
    sys.exit(run_process('depth_node', lambda: process.main(load=load_stubbed)))
