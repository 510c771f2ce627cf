"""`flashdepth export`: the file gives the depth of PyTorch, for any model, size and stream."""

import argparse

import numpy as np
import pytest
import torch

from flashdepth_ros import __version__
from flashdepth_ros.errors import ConfigError, ExportError
from flashdepth_ros.network import PRESETS
from flashdepth_ros.runtime import export as exporting
from flashdepth_ros.runtime.engines.exported_model import read_exported
from flashdepth_ros.runtime.export import Target, describe
from flashdepth_ros.runtime.weights import find_weights
from support import exported_models
from support.golden_models import golden_model
from support.node_process import golden_weights

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxscript')
pytest.importorskip('onnxruntime')
pytestmark = pytest.mark.filterwarnings('ignore::DeprecationWarning', 'ignore::FutureWarning')

FRAMES, RESET = 50, 30
CASES = {
    'one stream': ('flashdepth-tiny-s', Target((98, 70), 'fp32', 1)),
    'two streams, another size, fp16': ('flashdepth-tiny-s', Target((56, 84), 'fp16', 2)),
    'temporal attention, two streams': (
        'video-depth-anything-tiny',
        Target((56, 42), 'fp32', 2),
    ),
    'no state': ('depth-anything-v2-s', Target((56, 42), 'fp32', 1)),
}


@pytest.fixture(scope='module', params=CASES)
def case(request, tmp_path_factory):
    """A file, and the preset and target that it was exported for."""
    preset, target = CASES[request.param]
    folder = tmp_path_factory.mktemp('exported')
    return exported_models.exported(folder, preset, target), preset, target


def test_a_file_gives_the_depth_of_pytorch_over_a_stream_with_a_reset(case):
    path, preset, target = case
    engine = exported_models.engine_for(path)
    frames = exported_models.clips(target.size, target.batch, FRAMES)
    for difference, expected in exported_models.deviations(
        engine, golden_model(preset), frames, RESET
    ):
        assert expected.mean() > 0.01
        if target.precision == 'fp32':
            assert difference.max() < 1e-4 * max(1.0, expected.mean())
        else:
            assert difference.mean() < 0.01 * expected.mean()


def test_a_state_of_zeros_is_that_of_a_new_sequence(case):
    path, _, target = case
    engine = exported_models.engine_for(path)
    first, second, third = (
        frame.numpy() for frame in exported_models.clips(target.size, target.batch, 3)
    )
    _, state = engine.run(first, None)
    if state is None:
        pytest.skip('the model keeps no state')
    moved, state = engine.run(second, state)
    fresh, fresh_state = engine.run(second, None)
    assert np.abs(moved - fresh).max() > 1e-6
    again, _ = engine.run(third, fresh_state)
    both, _ = engine.run(np.concatenate((second, third), axis=1), None)
    np.testing.assert_array_equal(both, np.concatenate((fresh, again), axis=1))


def test_a_file_is_plain_onnx_and_tells_what_it_is(case):
    path, preset, target = case
    proto = onnx.load(path)
    assert {each.domain for each in proto.opset_import} == {''}
    assert {node.domain for node in proto.graph.node} == {''}
    assert not proto.functions
    assert (proto.producer_name, proto.producer_version) == ('flashdepth_ros', __version__)
    names = [each.name for each in proto.graph.input]
    assert names[0] == 'frames'
    assert [each.name for each in proto.graph.output] == [
        'inverse_depth',
        *(name.replace('state_in.', 'state_out.') for name in names[1:]),
    ]
    assert b'/site-packages/' not in path.read_bytes()
    model = read_exported(path)
    assert model.notes == {each.key: each.value for each in proto.metadata_props}
    assert (model.config.name, model.batch, model.precision) == (
        preset,
        target.batch,
        target.precision,
    )
    assert model.size == target.size[::-1]
    assert model.notes['mean'] == '0.485 0.456 0.406'
    assert model.notes['license'] == model.config.weights_license


def test_a_file_tells_the_purpose_of_the_presets_weights(tmp_path):
    config = PRESETS['flashdepth-tiny']
    shipped, other = find_weights(config), golden_weights(tmp_path, config.name)
    notes = [describe(config, each, exported_models.ALONE) for each in (shipped, other)]
    assert config.purpose
    assert [each['purpose'] for each in notes] == [config.purpose, '']


def test_selecting_the_next_state_equals_writing_it():
    model = golden_model('video-depth-anything-tiny')
    frames = exported_models.clips((56, 42), 2, 45)
    state = model.initial_state(frames[0])
    with torch.inference_mode():
        for frame in frames:
            _, entries = model.step(frame, state)
            selected, state = state.selected(entries), state.after(entries)
            for one, other in zip(selected, state, strict=True):
                assert torch.equal(one, other)


def arguments(*words):
    parser = argparse.ArgumentParser()
    exporting.add_arguments(parser)
    return parser.parse_args(['flashdepth-tiny', *words])


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (('-o', 'tiny.onnx', '--size', '588x449'), 'size 588x449; expected multiples of 14'),
        (('-o', 'tiny.onnx', '--size', 'large'), "invalid size 'large'"),
        (('-o', 'tiny.onnx', '--size', '56x42', '--batch', '0'), '--batch 0; expected 1 or more'),
        (('-o', 'tiny.pt', '--size', '56x42'), 'must end in .onnx'),
        (('-o', '/nowhere/tiny.onnx', '--size', '56x42'), 'there is no folder /nowhere'),
    ],
)
def test_options_are_checked_before_anything_is_loaded(words, message):
    with pytest.raises(ConfigError, match=message):
        exporting.run(arguments(*words))


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(exporting, 'find_spec', {'onnx': 1, 'onnxruntime': 1}.get)
    with pytest.raises(ConfigError, match=r'pip install onnxscript$'):
        exporting.export('flashdepth-tiny', tmp_path, exported_models.ALONE, tmp_path / 'a.onnx')


def test_no_file_appears_if_the_depth_deviates(monkeypatch, tmp_path, case):
    path, preset, target = case
    if target.precision != 'fp32':
        pytest.skip('one precision shows it')
    proto = onnx.load(path)
    weight = max(proto.graph.initializer, key=lambda each: len(each.raw_data))
    weight.raw_data = (np.frombuffer(weight.raw_data, np.float32) * 1.01).tobytes()
    monkeypatch.setattr(exporting, '_graph', lambda *_: proto)
    target_path = tmp_path / 'new.onnx'
    target_path.write_text('the file before')
    with pytest.raises(ExportError, match=r'deviates from PyTorch by .* no file is written'):
        exporting.export(preset, golden_weights(tmp_path, preset), target, target_path)
    assert target_path.read_text() == 'the file before'
    assert not list(tmp_path.glob('*.partial'))
