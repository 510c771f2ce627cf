"""Options of the engine of CUDA graphs, on a CPU: they change how it computes, not the result."""

import pytest
import torch
from torch import nn
import torch.nn.functional as F

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network import create_model, load_weights
from flashdepth_ros.network.encoder import Block
from flashdepth_ros.runtime.engines import gpu_options
from flashdepth_ros.runtime.engines.graph_engine import GraphEngine
from flashdepth_ros.runtime.engines.requested import GPU_OPTIONS
from flashdepth_ros.runtime.weights import find_weights
from support import golden_models
from support.gpu_on_cpu import CPU, Recorder

# torch.compile imports parts of PyTorch that use deprecated ones.
pytestmark = pytest.mark.filterwarnings('ignore:.*torch.jit:DeprecationWarning')

PRESETS = ('flashdepth-tiny', 'video-depth-anything-tiny')
LIMITS = {'half_head': 2e-3}
"""Mean relative difference; 1e-5 for the others."""


@pytest.fixture(autouse=True)
def compiled_without_a_compiler(monkeypatch):
    compile_module = nn.Module.compile
    monkeypatch.setattr(Block, 'compile', partial_method(compile_module, backend='eager'))


def partial_method(function, **fixed):
    return lambda self, **options: function(self, **options, **fixed)


def engine_of(preset, options=(), precision='fp32', recorder=None):
    model = golden_models.golden_model(preset)
    return GraphEngine(model, CPU, precision, recorder or Recorder(), options)


def stream(engine, count=3):
    state, estimates = None, []
    for frame in golden_models.golden_clip(count, 70, 98).split(1, dim=1):
        inverse_depth, state = engine.run(frame, state)
        estimates.append(inverse_depth)
    return torch.cat(estimates)


def difference(found, expected):
    return float(((found - expected).abs() / expected).mean())


@pytest.mark.parametrize('preset', PRESETS)
@pytest.mark.parametrize('option', GPU_OPTIONS)
def test_the_result_is_the_same(preset, option):
    found, expected = stream(engine_of(preset, (option,))), stream(engine_of(preset))
    assert difference(found, expected) < LIMITS.get(option, 1e-5)


def test_all_options_together_are_close_to_float32():
    found = stream(engine_of('flashdepth-tiny', tuple(GPU_OPTIONS), 'bf16'))
    assert difference(found, stream(engine_of('flashdepth-tiny'))) < 0.01
    # The last layer is not in fp16, which would have few values.
    assert len(found.unique()) > 0.9 * found.numel()
    assert found.dtype == torch.float32


def test_trained_weights_stay_in_the_range_of_fp16():
    def estimate(*options):
        model = create_model('flashdepth-tiny')
        load_weights(model, find_weights(model.config))
        return stream(GraphEngine(model, CPU, 'fp32', Recorder(), options))

    assert difference(estimate('half_head'), estimate()) < 2e-3


def test_attention_prefers_cudnn_and_may_use_others(monkeypatch):
    seen, attend = [], F.scaled_dot_product_attention

    def observed(*arguments):
        seen.append([gpu_options.SDPBackend(each) for each in torch._C._get_sdp_priority_order()])
        return attend(*arguments)

    monkeypatch.setattr(F, 'scaled_dot_product_attention', observed)
    before = torch._C._get_sdp_priority_order()
    stream(engine_of('flashdepth-tiny', ('cudnn_attention',)), count=1)
    assert {tuple(order[:4]) for order in seen} == {gpu_options._ATTENTION}
    assert torch._C._get_sdp_priority_order() == before


def test_attention_by_cudnn_needs_a_torch_that_has_priorities(monkeypatch):
    monkeypatch.setattr(gpu_options, 'sdpa_kernel', lambda _: None)
    with pytest.raises(ConfigError, match='cudnn_attention needs a newer torch'):
        engine_of('flashdepth-tiny', ('cudnn_attention',))
    engine_of('flashdepth-tiny', ('channels_last',))


@pytest.mark.parametrize('chosen', [True, False])
def test_algorithms_are_timed_in_the_capture_only(chosen):
    seen = []

    class Observer(Recorder):
        def __call__(self, run):
            seen.append(torch.backends.cudnn.benchmark)
            return super().__call__(run)

    options = ('cudnn_benchmark',) if chosen else ()
    stream(engine_of('flashdepth-tiny', options, recorder=Observer()), count=1)
    assert seen == [chosen]
    assert not torch.backends.cudnn.benchmark


def test_weights_have_the_layout_and_type_of_the_options():
    engine = engine_of('flashdepth-tiny', ('channels_last', 'half_head'), 'bf16')
    convolutions = [each for each in engine._model.modules() if isinstance(each, nn.Conv2d)]
    for each in convolutions:
        assert each.weight.is_contiguous(memory_format=torch.channels_last)
    head = engine._model.decoder.head
    assert [each.weight.dtype for each in (head.conv1, head.conv2, head.conv3)] == [
        *(torch.float16, torch.float16, torch.float32)
    ]


def test_blocks_that_cannot_be_compiled_run_as_they_are(monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError('no compiler')

    monkeypatch.setattr(Block, 'compile', partial_method(nn.Module.compile, backend=fail))
    found = stream(engine_of('flashdepth-tiny', ('compiled_blocks',)), count=2)
    assert torch.equal(found, stream(engine_of('flashdepth-tiny'), count=2))
    lines = [each.getMessage() for each in caplog.records if each.levelname == 'WARNING']
    assert [line for line in lines if 'compiled_blocks has no effect' in line] == lines[-1:]
    assert 'no compiler' in lines[-1]


def test_blocks_are_compiled_once_for_all_sizes(monkeypatch):
    compiled = []

    def count(graph, _):
        compiled.append(graph)
        return graph.forward

    monkeypatch.setattr(Block, 'compile', partial_method(nn.Module.compile, backend=count))
    engine = engine_of('flashdepth-tiny-s', ('compiled_blocks',))
    before = len(compiled)
    for size in ((56, 70), (70, 98), (42, 56)):
        engine.prepare(golden_models.golden_clip(1, *size))
    assert 0 < before == len(compiled) < 4
