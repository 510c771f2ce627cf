"""How the engine of CUDA graphs changes a network, on a CPU: how it computes, not the result."""

import pytest
import torch
from torch import nn

from flashdepth_ros.network import create_model, load_weights
from flashdepth_ros.runtime.engines import gpu_options
from flashdepth_ros.runtime.engines.graph_engine import GraphEngine
from flashdepth_ros.runtime.engines.torch_engine import TorchEngine
from flashdepth_ros.runtime.weights import find_weights
from support import golden_models
from support.gpu_on_cpu import CPU, Recorder

# torch.compile imports parts of PyTorch that use deprecated ones.
pytestmark = pytest.mark.filterwarnings('ignore:.*torch.jit:DeprecationWarning')

PRESETS = ('flashdepth-tiny', 'flashdepth-lite', 'video-depth-anything-tiny')


def compile_by(monkeypatch, backend):
    """Make the parts that are compiled use a backend without a compiler, with a small probe."""
    torch._dynamo.reset()
    monkeypatch.setattr(gpu_options, '_PROBES', ((70, 98),))
    compile_module = nn.Module.compile
    for kind in gpu_options._COMPILED:
        monkeypatch.setattr(
            kind,
            'compile',
            lambda self, **options: compile_module(self, **options, backend=backend),
        )


def engine_of(preset, options=(), precision='fp32', recorder=None):
    model = golden_models.golden_model(preset)
    return GraphEngine(model, CPU, precision, recorder or Recorder(), options)


def plain_engine(preset):
    return TorchEngine(golden_models.golden_model(preset), CPU, 'fp32')


def stream(engine, count=3):
    state, estimates = None, []
    for frame in golden_models.golden_clip(count, 70, 98).split(1, dim=1):
        inverse_depth, state = engine.run(frame, state)
        estimates.append(inverse_depth)
    return torch.cat(estimates)


def difference(found, expected):
    return float(((found - expected).abs() / expected).mean())


@pytest.mark.parametrize('preset', PRESETS)
@pytest.mark.parametrize('options', [(), ('compiled',)])
def test_the_result_is_that_of_the_plain_network(preset, options, monkeypatch):
    compile_by(monkeypatch, 'eager')
    found = stream(engine_of(preset, options))
    assert difference(found, stream(plain_engine(preset))) < 1e-5


@pytest.mark.parametrize('preset', PRESETS)
def test_lower_precision_is_close_to_float32(preset):
    found = stream(engine_of(preset, precision='bf16'))
    assert difference(found, stream(plain_engine(preset))) < 0.015
    # The last layer is not in fp16, which would have few values.
    assert len(found.unique()) > 0.9 * found.numel()
    assert found.dtype == torch.float32


def test_trained_weights_stay_in_the_range_of_fp16():
    def load():
        model = create_model('flashdepth-tiny')
        load_weights(model, find_weights(model.config))
        return GraphEngine(model, CPU, 'fp32', Recorder())

    halved = load()
    halved._model.decoder.head.halve()
    assert difference(stream(halved), stream(load())) < 2e-3


@pytest.mark.parametrize(
    ('precision', 'dtype'), [('bf16', torch.float16), ('fp32', torch.float32)]
)
def test_weights_have_the_layout_of_the_maps_and_the_type_of_the_precision(precision, dtype):
    engine = engine_of('flashdepth-tiny', precision=precision)
    convolutions = [each for each in engine._model.modules() if isinstance(each, nn.Conv2d)]
    for each in convolutions:
        assert each.weight.is_contiguous(memory_format=torch.channels_last)
    head = engine._model.decoder.head
    assert [each.weight.dtype for each in (head.conv1, head.conv2, head.conv3)] == [
        *(dtype, dtype, torch.float32)
    ]


def test_parts_that_cannot_be_compiled_run_as_they_are(monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError('no compiler')

    compile_by(monkeypatch, fail)
    found = stream(engine_of('flashdepth-tiny', ('compiled',)), count=2)
    assert torch.equal(found, stream(engine_of('flashdepth-tiny'), count=2))
    lines = [each.getMessage() for each in caplog.records if each.levelname == 'WARNING']
    assert [line for line in lines if 'compiled has no effect' in line] == lines[-1:]
    assert 'no compiler' in lines[-1]


def test_parts_are_compiled_once_for_all_sizes(monkeypatch):
    compiled = []

    def count(graph, _):
        compiled.append(graph)
        return graph.forward

    compile_by(monkeypatch, count)
    engine = engine_of('flashdepth-tiny-s', ('compiled',))
    before = len(compiled)
    assert before
    # All below the size from which PyTorch chooses another convolution on a CPU.
    for size in ((56, 70), (70, 98), (42, 56)):
        engine.prepare(golden_models.golden_clip(1, *size))
    assert len(compiled) == before
