"""
The program that compiles a network with OpenVINO, run as a separate process.

It is separate because it takes seconds and ten times the memory of its result, and because
torch.export patches functions that other threads use.
"""

from contextlib import suppress
import os
from pathlib import Path
import sys
from typing import Any
import warnings

import torch
from torch import Tensor

from flashdepth_ros.network import Network, create_model, load_weights
from flashdepth_ros.runtime.engines.compilation import FRAMES_KEY
from flashdepth_ros.runtime.engines.network_step import NetworkStep
from flashdepth_ros.runtime.engines.openvino_core import core, import_openvino, openvino_config
from flashdepth_ros.runtime.engines.processor import usable_cores

_NICENESS = 10


def to_openvino(model: Network, shape: tuple[int, ...]) -> Any:
    """Return the OpenVINO model of the network for frames of one shape, with state in and out."""
    frames = torch.zeros(shape)
    state = model.check_inputs(frames, None)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # deprecation warnings inside torch itself
        program = torch.export.export(NetworkStep(model, state), (frames, *(state or ())))
        return import_openvino().convert_model(program)


def compile_model(
    model: Network, kind: tuple[str, str, tuple[int, ...]], frames: Tensor | None = None
) -> bytes:
    """
    Compile for a device, precision and shape; return what OpenVINO can import.

    :param frames: a stream (B, T, 3, H, W) for int8 calibration; None for other precisions.
    """
    device, precision, shape = kind
    network = to_openvino(model, shape)
    if frames is not None:
        from flashdepth_ros.runtime.engines.quantisation import quantise

        network = quantise(network, model, frames)
    compiled = core().compile_model(network, device, openvino_config(device, precision))
    return compiled.export_model().getvalue()


def main() -> None:
    """Run with the arguments and the files that `Compilation` passes."""
    name, output, device, precision, *shape = sys.argv[1:]
    _give_way()
    torch.set_num_threads(usable_cores())
    model = create_model(name)
    with sys.stdin.buffer as weights:
        entries = torch.load(weights, weights_only=True)
    frames = entries.pop(FRAMES_KEY, None)
    load_weights(model, entries)
    kind = device, precision, tuple(int(side) for side in shape)
    with os.fdopen(int(output), 'wb') as result:
        result.write(compile_model(model, kind, frames))


def _give_way() -> None:
    """Let other processes run first, and let the kernel end this one first if memory runs out."""
    os.nice(_NICENESS)
    with suppress(OSError):  # not Linux, or not allowed
        Path('/proc/self/oom_score_adj').write_text('1000')


if __name__ == '__main__':
    main()
