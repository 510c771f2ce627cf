"""Exported models that cannot be used, and packages that are missing: one line each."""

import os
import subprocess
import sys

import pytest

from flashdepth_ros.errors import CheckpointError, ConfigError
from flashdepth_ros.network import checkpoint
from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.engines import EngineChoice, load_engine, loading
from flashdepth_ros.runtime.engines.exported_model import FORMAT, read_exported, read_metadata
from flashdepth_ros.runtime.weights import WEIGHT_SUFFIXES
from support import exported_models
from support.paths import ROOT

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

PRESET, (WIDTH, HEIGHT) = exported_models.PRESET, exported_models.SIZE
ENGINES = ('onnxruntime', 'openvino')


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


@pytest.fixture
def path(tmp_path):
    """A file with the inputs, outputs and metadata of an exported model, and a simple network."""
    return exported_models.simple(tmp_path)


def with_changes(path, folder, change):
    proto = onnx.load(path)
    change(proto)
    changed = folder / 'changed.onnx'
    changed.write_bytes(proto.SerializeToString())
    return changed


def set_notes(**notes):
    def change(proto):
        known = {each.key: each.value for each in proto.metadata_props}
        onnx.helper.set_model_props(proto, known | notes)

    return change


def forget_notes(proto):
    del proto.metadata_props[:]


def rename_state(proto):
    (state,) = (each for each in proto.graph.output if each.name.startswith('state_out.'))
    for node in proto.graph.node:
        node.output[:] = ['memory' if name == state.name else name for name in node.output]
    state.name = 'memory'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (forget_notes, f"no format in its metadata, '{FORMAT}' expected"),
        (set_notes(format='flashdepth_ros 9'), "format 'flashdepth_ros 9' in its metadata"),
        (set_notes(preset='flashdepth-xl'), "preset 'flashdepth-xl' is not known"),
        (set_notes(size='large'), 'its metadata are incomplete'),
        (set_notes(size='112x70'), 'it was changed after the export'),
        (rename_state, 'outputs inverse_depth, memory, but flashdepth-tiny-s has frames'),
        (set_notes(batch='2'), 'is for 2 streams at a time'),
        (set_notes(preset='flashdepth-s'), f'is flashdepth-s, but model is {PRESET}'),
    ],
)
def test_a_file_that_does_not_fit_is_one_line(path, tmp_path, change, message):
    changed = with_changes(path, tmp_path, change)
    with pytest.raises((CheckpointError, ConfigError), match=message) as raised:
        DepthEstimator(PRESET, changed, 'cpu', engine='onnxruntime')
    assert str(changed) in str(raised.value)
    assert '\n' not in str(raised.value)


@pytest.mark.parametrize('content', [b'', b'text', b'\xff' * 50, None, bytes(40)])
def test_another_file_is_one_line(path, tmp_path, content):
    other = tmp_path / 'other.onnx'
    other.write_bytes(path.read_bytes()[:200] if content is None else content)
    with pytest.raises(CheckpointError, match='not an ONNX file, or damaged'):
        read_exported(other)
    with pytest.raises(CheckpointError, match='no such file; give the path of one, or write'):
        read_exported(tmp_path / 'none.onnx')


def test_the_suffixes_are_those_that_can_be_read():
    assert set(WEIGHT_SUFFIXES) == set(checkpoint._READERS)


@pytest.mark.parametrize('name', ['tiny.onx', 'tiny.ONN', 'tiny'])
def test_a_misspelt_suffix_is_named_before_pytorch_is_asked_for(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, 'torch', None)
    with pytest.raises(CheckpointError, match=r'give a \.onnx file of `flashdepth export`, or'):
        load_engine(PRESET, str(tmp_path / name), EngineChoice())


@pytest.mark.parametrize('name', ENGINES)
def test_a_damaged_network_is_one_line(path, tmp_path, name):
    pytest.importorskip(name)

    def cut(proto):
        del proto.graph.node[1:]

    changed = with_changes(path, tmp_path, cut)
    assert read_metadata(changed)['preset'] == PRESET
    with pytest.raises(CheckpointError, match='cannot load it') as raised:
        load_engine(PRESET, changed, EngineChoice('cpu', engine=name))
    assert '\n' not in str(raised.value)


@pytest.mark.parametrize(
    ('choice', 'message'),
    [
        (EngineChoice(engine='torch'), "engine 'torch' does not run exported models"),
        (
            EngineChoice('cpu', 'fp16', 'onnxruntime'),
            'leave precision at auto, or export the model in',
        ),
        (EngineChoice('cpu', 'int8', 'openvino'), 'in fp32 or bf16, not in int8'),
        (EngineChoice('cuda', engine='openvino'), 'on cuda use onnxruntime'),
        (EngineChoice('cuda', engine='onnxruntime'), "device 'cuda' was requested"),
        (EngineChoice(engine='fast'), "unknown engine 'fast'"),
    ],
)
def test_what_cannot_be_combined_is_one_line(path, choice, message):
    with pytest.raises(ConfigError, match=message):
        load_engine(PRESET, path, choice)


def test_weights_and_settings_for_another_kind_of_file_are_one_line(path):
    with pytest.raises(ConfigError, match='write one with `flashdepth export`'):
        DepthEstimator('flashdepth-tiny', engine='onnxruntime', device='cpu')
    with pytest.raises(ConfigError, match=f'is for {WIDTH}x{HEIGHT} alone: leave it at 0'):
        DepthEstimator(PRESET, path, 'cpu', short_side=112)


@pytest.mark.parametrize(
    ('present', 'message'),
    [
        ((), 'needs the package onnxruntime or openvino: pip install onnxruntime'),
        (('onnxruntime',), None),
        (('openvino',), None),
    ],
)
def test_auto_takes_what_is_installed(path, monkeypatch, present, message):
    monkeypatch.setattr(loading, 'find_spec', dict.fromkeys(present, 'installed').get)
    if message is None:
        (expected,) = present
        pytest.importorskip(expected)
        _, engine = load_engine(PRESET, path, EngineChoice('cpu'))
        assert engine.name == expected
        return
    with pytest.raises(ConfigError, match=message):
        load_engine(PRESET, path, EngineChoice('cpu'))


@pytest.mark.parametrize(
    ('device', 'cuda', 'expected'),
    [
        ('auto', False, 'openvino'),
        ('auto', True, 'onnxruntime'),
        ('cpu', True, 'openvino'),
        ('cpu', False, 'openvino'),
    ],
)
def test_auto_takes_cuda_before_openvino(path, monkeypatch, device, cuda, expected):
    pytest.importorskip('openvino')
    monkeypatch.setattr(loading, 'has_cuda', lambda: cuda)
    _, engine = load_engine(PRESET, path, EngineChoice(device))
    assert engine.name == expected


def test_onnxruntime_that_is_missing_or_too_old_is_one_line(path, monkeypatch):
    choice = EngineChoice('cpu', engine='onnxruntime')
    monkeypatch.setattr('onnxruntime.__version__', '1.9.0')
    with pytest.raises(ConfigError, match=r'needs version 1\.20 or newer, 1\.9\.0 is installed'):
        load_engine(PRESET, path, choice)
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(ConfigError, match='pip install onnxruntime'):
        load_engine(PRESET, path, choice)


def test_openvino_is_imported_without_its_telemetry(tmp_path):
    pytest.importorskip('openvino')
    code = (
        'import sys; from flashdepth_ros.runtime.engines.openvino_core import core; core()\n'
        'print(any(each for name, each in sys.modules.items() if "openvino_telemetry" in name))'
    )
    environment = {**os.environ, 'HOME': str(tmp_path)}
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ('False\n', '')
    assert not list(tmp_path.iterdir())
