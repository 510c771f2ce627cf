"""
Exported models with golden weights, and streams that compare them with PyTorch.

`python -m support.exported_models FILE` writes the model that node tests run without PyTorch.
"""

from pathlib import Path
import sys
import tempfile
import warnings

import numpy as np
import torch

from flashdepth_ros.network.presets import preset
from flashdepth_ros.runtime.engines import EngineChoice
from flashdepth_ros.runtime.engines.exported_engine import ExportedEngine
from flashdepth_ros.runtime.engines.exported_model import read_exported
from flashdepth_ros.runtime.engines.loading import load_exported
from flashdepth_ros.runtime.engines.onnx_session import OnnxSession
from flashdepth_ros.runtime.export import Target, describe, export
from support.golden_models import golden_clip
from support.network import PRESET
from support.node_process import golden_weights

SIZE = (98, 70)
"""Width and height, px."""
ALONE = Target(SIZE, 'fp32', 1)
TARGET = Target((154, 112), 'fp32', 1)
"""What the node tests run: for images of 160x120 with `inference.short_side` 112."""


def exported(folder, preset=PRESET, target=ALONE):
    """Export a preset with golden weights; return the file."""
    path = folder / f'{preset}-{target.precision}-{target.batch}.onnx'
    export(preset, golden_weights(folder, preset), target, path)
    return path


def simple(folder):
    """Write a file that passes for an exported model: its network is a mean and a count."""
    import onnx

    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    width, height = SIZE
    state, frame = (1, 4, 8, 16, 128), (1, 1, height, width)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [
            helper.make_node('ReduceMean', ['frames', 'axes'], ['inverse_depth'], keepdims=0),
            helper.make_node('Add', ['state_in.ssm', 'one'], ['state_out.ssm']),
        ],
        PRESET,
        [value('frames', kind, (1, 1, 3, height, width)), value('state_in.ssm', kind, state)],
        [value('inverse_depth', kind, frame), value('state_out.ssm', kind, state)],
        [
            helper.make_tensor('axes', onnx.TensorProto.INT64, (1,), (2,)),
            helper.make_tensor('one', kind, (), (1.0,)),
        ],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=8)
    helper.set_model_props(proto, describe(preset(PRESET), golden_weights(folder, PRESET), ALONE))
    path = folder / 'simple.onnx'
    path.write_bytes(proto.SerializeToString())
    return path


def engine_for(path, name='onnxruntime', precision='auto'):
    """Return the engine for an exported model on the CPU, also for several streams."""
    model = read_exported(path)
    if model.batch == 1:
        return load_exported(model, EngineChoice('cpu', precision, name))
    return ExportedEngine(model, OnnxSession(model, 'cpu', model.precision), model.precision)


def clips(size, batch, count):
    """Return frames (batch, 1, 3, H, W), a list; every stream has another part of the video."""
    width, height = size
    video = golden_clip(count + 7 * (batch - 1), height, width)
    streams = [video[:, 7 * index : 7 * index + count] for index in range(batch)]
    return torch.cat(streams).split(1, dim=1)


def deviations(engine, model, frames, reset):
    """Yield difference and inverse depth of each frame; the stream starts anew at `reset`."""
    state = expected_state = None
    for index, frame in enumerate(frames):
        if index == reset:
            state = expected_state = None
        found, state = engine.run(frame.numpy(), state)
        with torch.inference_mode():
            expected, expected_state = model(frame, expected_state)
        yield np.abs(found - expected.numpy()), expected.numpy()


if __name__ == '__main__':
    warnings.simplefilter('ignore')  # of the exporter
    with tempfile.TemporaryDirectory() as written:
        export(PRESET, golden_weights(Path(written), PRESET), TARGET, Path(sys.argv[1]))
