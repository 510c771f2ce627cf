"""
A process that turns a network into OpenVINO's compiled form and ends.

It is apart from the node because it takes seconds and ten times the memory of what it makes, and
because torch.export patches what other threads run.
"""

import os
from pathlib import Path
import sys
from typing import Any
import warnings

import openvino
import torch
from torch import Tensor, nn

from flashdepth_ros.network import FlashDepth, StreamState, create_model, load_weights
from flashdepth_ros.network.checkpoint import read_weights
from flashdepth_ros.runtime.engines.model_store import FRAMES
from flashdepth_ros.runtime.engines.openvino_engine import core, settings
from flashdepth_ros.runtime.engines.processor import usable_cores

_NICENESS = 10


class _Flat(nn.Module):
    """The network with its state as one tensor, as an exported program takes it."""

    def __init__(self, model: FlashDepth) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor, ssm: Tensor) -> tuple[Tensor, Tensor]:
        inverse_depth, state = self.model(frames, StreamState(ssm))
        assert state is not None
        return inverse_depth, state.ssm


class _Stateless(nn.Module):
    def __init__(self, model: FlashDepth) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor) -> Tensor:
        return self.model(frames)[0]


def exported(model: FlashDepth, shape: tuple[int, ...]) -> Any:
    """Return OpenVINO's model of the network for frames of one shape: state in, state out."""
    frames = torch.zeros(shape)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # torch's own, on its way to its next release
        if model.temporal is None:
            program = torch.export.export(_Stateless(model), (frames,))
        else:
            state = model.temporal.start(len(frames), frames.device)
            program = torch.export.export(_Flat(model), (frames, state.ssm))
        return openvino.convert_model(program)


def compile_to(
    path: Path,
    model: FlashDepth,
    kind: tuple[str, str, tuple[int, ...]],
    frames: Tensor | None = None,
) -> None:
    """
    Compile for a device, precision and shape; the file appears whole or not at all.

    :param frames: a stream (B, T, 3, H, W) to calibrate by, None where it is not int8.
    """
    device, precision, shape = kind
    network = exported(model, shape)
    if frames is not None:
        from flashdepth_ros.runtime.engines.quantisation import quantised

        network = quantised(network, model, frames)
    compiled = core().compile_model(network, device, settings(device, precision))
    partial = path.with_suffix(f'.{os.getpid()}.partial')
    partial.write_bytes(compiled.export_model().getvalue())
    partial.replace(path)


def main() -> None:
    """Read the command line that `ModelStore.start` writes."""
    name, weights, path, device, precision, *shape = sys.argv[1:]
    os.nice(_NICENESS)
    torch.set_num_threads(usable_cores())
    model = create_model(name)
    entries = read_weights(weights)
    frames = entries.pop(FRAMES, None)
    load_weights(model, entries)
    kind = device, precision, tuple(int(side) for side in shape)
    compile_to(Path(path), model, kind, frames)


if __name__ == '__main__':
    main()
