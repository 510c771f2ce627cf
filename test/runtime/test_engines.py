"""Every engine gives the results of eager float32, over a stream, at any size."""

import os
from pathlib import Path
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from flashdepth_ros.errors import ConfigError, InputError
from flashdepth_ros.network import StreamState
from flashdepth_ros.runtime.engines import EngineChoice, create_engine, resolve
from flashdepth_ros.runtime.engines import choice as choosing
from flashdepth_ros.runtime.engines.torch_engine import TorchEngine
from support import golden_models
from support.paths import ROOT

# torch.compile imports parts of PyTorch that use deprecated ones.
pytestmark = pytest.mark.filterwarnings('ignore:.*torch.jit:DeprecationWarning')

PRESET = 'flashdepth-tiny-s'
SIZE = (70, 98)
FRAMES = 50
UNSUPPORTED = ('torch', 'int8')
LIMITS = {'fp32': 1e-4, 'bf16': 0.01, 'int8': 0.02}


@pytest.fixture(scope='module', autouse=True)
def cache(tmp_path_factory):
    """A cache folder for this module, so that its tests share compiled networks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
        yield Path(os.environ['XDG_CACHE_HOME']) / 'flashdepth_ros' / 'compiled'


@pytest.fixture(scope='module')
def expected():
    model, clip, state, predictions = golden_models.golden_model(PRESET), clip_of(), None, []
    with torch.inference_mode():
        for frame in clip:
            inverse_depth, state = model(frame, state)
            predictions.append(inverse_depth)
    return predictions


def clip_of(count=FRAMES, size=SIZE):
    return golden_models.golden_clip(count, *size).split(1, dim=1)


def engine_of(name, precision='fp32'):
    return create_engine(golden_models.golden_model(PRESET), EngineChoice('cpu', precision, name))


def stream(engine, clip, state=None):
    predictions = []
    for frame in clip:
        inverse_depth, state = engine.run(frame, state)
        predictions.append(inverse_depth)
    return predictions, state


@pytest.mark.parametrize(
    ('name', 'precision'),
    [
        *(
            (name, each)
            for name in ('torch', 'openvino')
            for each in LIMITS
            if (name, each) != UNSUPPORTED
        ),
        ('torch_compile', 'fp32'),
    ],
)
def test_stream_matches_eager_float32_without_drift(expected, name, precision):
    pytest.importorskip(name.removesuffix('_compile'))
    if name == 'torch_compile' and not shutil.which('g++'):
        pytest.skip('torch.compile needs a C++ compiler')
    engine = engine_of(name, precision)
    if precision == 'int8':
        pytest.importorskip('nncf')
        engine.prepare(torch.cat(clip_of(8)))
    predictions, state = stream(engine, clip_of())
    errors = [
        float(((a - b).abs() / b).mean()) for a, b in zip(predictions, expected, strict=True)
    ]
    assert max(errors) < LIMITS[precision]
    assert np.mean(errors[-20:]) < 2.0 * np.mean(errors[:20]) + 1e-6
    assert state.ssm.dtype == predictions[-1].dtype == torch.float32
    # An output in bf16 would have only a few hundred values.
    assert len(predictions[-1].unique()) > 0.9 * len(expected[-1].unique())


@pytest.mark.parametrize('name', ['torch', 'openvino'])
def test_state_and_results_do_not_change_later(name):
    pytest.importorskip(name)
    engine, (first, second, third) = engine_of(name), clip_of(3)
    predictions, state = stream(engine, [first, second])
    ssm, prediction = state.ssm.clone(), predictions[-1].clone()
    once = engine.run(third, state)
    again = engine.run(third, StreamState(ssm.clone()))
    torch.testing.assert_close(again[0], once[0], rtol=0, atol=0)
    torch.testing.assert_close(again[1].ssm, once[1].ssm, rtol=0, atol=0)
    torch.testing.assert_close(state.ssm, ssm, rtol=0, atol=0)
    torch.testing.assert_close(predictions[-1], prediction, rtol=0, atol=0)


@pytest.mark.parametrize('name', ['torch', 'openvino'])
def test_frames_in_channels_last_memory_give_the_same_result(name):
    pytest.importorskip(name)
    engine, clip = engine_of(name), clip_of(8)
    expected, _ = stream(engine, clip)
    channels_last = (
        frame.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3) for frame in clip
    )
    for one, other in zip(stream(engine, channels_last)[0], expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('name', ['torch', 'openvino'])
def test_frames_and_states_that_do_not_fit_are_rejected(name):
    pytest.importorskip(name)
    engine = engine_of(name)
    with pytest.raises(InputError, match='multiples of 14'):
        engine.run(torch.zeros(1, 1, 3, 70, 99), None)
    with pytest.raises(InputError, match='same model returned'):
        engine.run(clip_of(1)[0], StreamState(torch.zeros(1, 2, 3, 4, 5)))


def test_new_size_runs_while_it_is_compiled():
    pytest.importorskip('openvino')
    engine, clip = engine_of('openvino'), clip_of(2, (56, 70))
    engine.prepare(clip_of(1)[0])
    before, state = stream(engine, clip)
    assert engine.loaded_shapes == ((1, 1, 3, *SIZE),)
    assert (engine.name, engine.reason) == ('torch', 'until openvino is ready')
    engine.prepare(clip[0])
    assert engine.loaded_shapes[-1] == (1, 1, 3, 56, 70)
    after, _ = stream(engine, clip)
    assert (engine.name, engine.reason) == ('openvino', '')
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-4)
    assert stream(engine, clip, state)[1].ssm.shape == state.ssm.shape


def test_blank_frames_of_a_warm_up_are_no_calibration_frames():
    for package in ('openvino', 'nncf'):
        pytest.importorskip(package)
    engine, (frame,) = engine_of('openvino', 'int8'), clip_of(1, (56, 70))
    blank = torch.tensor([-2.0, 0.0, 1.5]).view(1, 1, 3, 1, 1).expand(frame.shape)
    for each, count in ((blank, 0), (frame, 1), (blank, 1)):
        engine.run(each, None)
        assert len(engine._calibration.get((1, 1, 3, 56, 70), ())) == count


def test_least_recently_used_network_is_dropped(monkeypatch):
    pytest.importorskip('openvino')
    monkeypatch.setattr('flashdepth_ros.runtime.engines.openvino_engine.MAX_LOADED', 1)
    engine = engine_of('openvino')
    for size in (SIZE, (56, 70), SIZE):
        engine.prepare(clip_of(1, size)[0])
        assert engine.loaded_shapes == ((1, 1, 3, *size),)


def test_torch_compile_without_a_cpp_compiler_falls_back_to_eager_mode(
    expected, monkeypatch, tmp_path, caplog
):
    monkeypatch.setattr('torch._inductor.config.cpp.cxx', ('/no/such/compiler',))
    monkeypatch.setenv('TORCHINDUCTOR_CACHE_DIR', str(tmp_path))
    torch.compiler.reset()
    engine = engine_of('torch_compile')
    predictions, _ = stream(engine, clip_of()[:2])
    assert all(torch.equal(a, b) for a, b in zip(predictions, expected, strict=False))
    assert 'torch.compile failed' in caplog.text
    assert engine.name == 'torch'


def test_torch_compile_without_a_temporary_folder_falls_back_to_eager_mode(
    expected, monkeypatch, caplog
):
    def fail(*_, **__):
        raise FileNotFoundError('No usable temporary directory found')

    monkeypatch.setattr(torch, 'compile', fail)
    engine = engine_of('torch_compile')
    predictions, _ = stream(engine, clip_of()[:2])
    assert all(torch.equal(a, b) for a, b in zip(predictions, expected, strict=False))
    assert 'using eager mode: No usable temporary directory' in caplog.text
    assert engine.name == 'torch'


def test_signals_work_after_engines_are_deleted_in_any_order():
    """In this order, separate OpenVINO cores would leave a freed signal stack."""
    # The engine of other tests, so that its network is compiled already.
    program = """
import os, signal
from runtime.test_engines import clip_of, engine_of
signal.signal(signal.SIGUSR1, lambda *_: print('received'))
engines = [engine_of('openvino') for _ in range(2)]
prepared = [engine.prepare(*clip_of(1)) for engine in engines]
assert all(engine.name == 'openvino' for engine in engines)
while engines:
    del engines[0]
os.kill(os.getpid(), signal.SIGUSR1)
"""
    ran = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, cwd=ROOT / 'test'
    )
    assert (ran.returncode, ran.stdout) == (0, 'received\n'), ran.stderr


def test_auto_gives_the_reason_for_its_engine(monkeypatch):
    monkeypatch.setattr(choosing, 'find_spec', {'openvino': 'installed'}.get)
    resolved = resolve(EngineChoice('cpu', 'fp32'))
    assert (resolved.engine, resolved.reason) == ('openvino', 'the fastest engine on a CPU')
    monkeypatch.setattr(choosing, 'find_spec', {}.get)
    resolved = resolve(EngineChoice('cpu', 'fp32'))
    assert (resolved.engine, resolved.reason) == (
        'torch',
        'openvino is not installed; it is faster on a CPU',
    )
    with pytest.raises(ConfigError, match='pip install openvino'):
        resolve(EngineChoice('cpu', engine='openvino'))


@pytest.mark.parametrize('bf16', [False, True])
def test_auto_chooses_bf16_on_a_cpu_with_bf16_multiplication(monkeypatch, bf16):
    monkeypatch.setattr(choosing, 'cpu_precision', lambda: 'bf16' if bf16 else 'fp32')
    assert resolve(EngineChoice('cpu')).precision == ('bf16' if bf16 else 'fp32')


@pytest.mark.parametrize(
    ('capability', 'precision'), [((7, 5), 'fp16'), ((8, 0), 'bf16'), ((9, 0), 'bf16')]
)
def test_auto_chooses_bf16_on_a_gpu_that_multiplies_it_without_emulation(
    monkeypatch, capability, precision
):
    capabilities = {0: (9, 0), 1: capability}
    monkeypatch.setattr(
        torch.cuda, 'get_device_capability', lambda device: capabilities[device.index]
    )
    assert choosing.choose_precision('auto', torch.device('cuda:1')) == precision


def test_float32_is_ieee_on_a_gpu():
    backends = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [backend.allow_tf32 for backend in backends]
    try:
        for device, allowed in (('cpu', True), ('meta', False)):
            for backend in backends:
                backend.allow_tf32 = True
            TorchEngine(golden_models.golden_model(PRESET), torch.device(device), 'bf16')
            assert [backend.allow_tf32 for backend in backends] == [allowed, allowed]
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.allow_tf32 = value


@pytest.mark.parametrize(('name', 'index'), [('auto', 1), ('cuda', 1), ('cuda:0', 0)])
def test_a_gpu_has_its_index_whatever_the_current_one_of_a_thread_is(monkeypatch, name, index):
    for function, value in (('is_available', True), ('device_count', 2), ('current_device', 1)):
        monkeypatch.setattr(torch.cuda, function, lambda value=value: value)
    assert choosing.choose_device(name) == torch.device('cuda', index)


@pytest.mark.parametrize(
    ('choice', 'message'),
    [
        (EngineChoice('cpu', 'int8', 'torch'), "'int8' requires engine openvino"),
        (EngineChoice('cpu', 'fp16', 'openvino'), "not 'fp16'"),
    ],
)
def test_unsupported_combinations_are_rejected(monkeypatch, choice, message):
    monkeypatch.setattr(choosing, 'find_spec', {'openvino': 'installed'}.get)
    with pytest.raises(ConfigError, match=message):
        resolve(choice)
