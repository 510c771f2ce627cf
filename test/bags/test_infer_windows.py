"""`flashdepth infer --window` and relative depth: what Video Depth Anything adds to recordings."""

import numpy as np
import pytest
import torch

from flashdepth_ros.bags import BagReader
from flashdepth_ros.cli import main
from flashdepth_ros.errors import BagError, ConfigError
from flashdepth_ros.evaluation.candidates import parse_model
from flashdepth_ros.messages import read_depth
from flashdepth_ros.network import offline
from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.offline import estimate_in_windows
from flashdepth_ros.runtime.scale import ScaleSettings
from flashdepth_ros.runtime.setting_description import update
from flashdepth_ros.runtime.tensor_transfer import CpuTensorTransfer
from support.evaluation_bags import write_bag
from support.evaluation_runs import report
from support.golden_models import golden_model
from support.node_process import golden_weights
from support.recordings import camera_messages, pattern, write

MODEL = 'video-depth-anything-tiny'
FRAMES, SIZE = 36, (42, 56)


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    return golden_weights(tmp_path_factory.mktemp('weights'), MODEL)


def options(weights):
    return [
        '--model',
        MODEL,
        '--weights',
        str(weights),
        '--engine',
        'torch',
        '--precision',
        'fp32',
    ]


def offline_depth(numbers):
    """Return inverse depth of a video of these patterns, in windows."""
    frames = [CpuTensorTransfer().upload(pattern(number, SIZE), SIZE)[0, 0] for number in numbers]
    return torch.stack(list(offline(golden_model(MODEL), frames))).numpy()


def inverse_depths(path, topic='/depth/inverse'):
    with BagReader(path) as bag:
        assert {each.name for each in bag.topics} == {topic, '/depth/camera_info'}
        return np.stack([read_depth(bag.message(each)) for each in bag.records(topic)])


def test_windows_of_a_recording_give_inverse_depth_of_every_frame(weights, tmp_path):
    bag = write(tmp_path / 'bag', *camera_messages(FRAMES, SIZE))
    command = ['infer', str(bag), '-o', str(tmp_path / 'out'), *options(weights)]
    assert main([*command, '--depth-output', 'relative', '--window']) == 0
    written = inverse_depths(tmp_path / 'out')
    with BagReader(tmp_path / 'out') as made:
        facts = made.custom_data
    assert (facts['window'], facts['engine'], facts['precision']) == ('True', 'torch', 'fp32')
    np.testing.assert_allclose(written, offline_depth(range(FRAMES)), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ('model', 'given', 'message'),
    [
        (MODEL, [], 'gives inverse depth without a unit'),
        (MODEL, ['--depth-output', 'relative', '--points'], 'need depth in metres'),
        ('flashdepth-tiny', ['--window'], 'flashdepth-tiny has no windows'),
        (MODEL, ['--window', '--temporal', 'off'], 'with temporal off it does not'),
    ],
)
def test_what_a_model_cannot_give_is_refused(tmp_path, capsys, model, given, message):
    bag = write(tmp_path / 'bag', *camera_messages(2, SIZE))
    assert main(['infer', str(bag), '-o', str(tmp_path / 'out'), '--model', model, *given]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


class Picture:
    """A frame of a video in memory."""

    frame_id = 'camera'

    def __init__(self, number, stamp_ns):
        self.number, self.stamp_ns = number, stamp_ns

    @property
    def rgb(self):
        return pattern(self.number, SIZE)


def test_every_sequence_is_a_video_of_its_own(weights):
    gap = [10**8 * number + (10**10 if number >= 3 else 0) for number in range(8)]
    pictures = [Picture(number, stamp_ns) for number, stamp_ns in enumerate(gap)]
    estimator = DepthEstimator(MODEL, weights, 'cpu', 'fp32', 'torch')
    found = list(estimate_in_windows(estimator, pictures))
    assert [picture.number for picture, _ in found] == list(range(8))
    assert [depth.reset_reason for _, depth in found] == ['first_frame', '', '', 'gap'] + 4 * ['']
    expected = [*offline_depth(range(3)), *offline_depth(range(3, 8))]
    for (_, depth), values in zip(found, expected, strict=True):
        np.testing.assert_allclose(depth.inverse_depth, values, rtol=1e-3, atol=1e-3)


def test_an_error_of_the_source_comes_after_the_frames_before_it(weights):
    def pictures():
        yield from (Picture(number, 10**8 * number) for number in range(3))
        raise BagError('damaged')

    estimator = DepthEstimator(MODEL, weights, 'cpu', 'fp32', 'torch')
    found = estimate_in_windows(estimator, pictures())
    assert [next(found)[0].number for _ in range(3)] == [0, 1, 2]
    with pytest.raises(BagError, match='damaged'):
        next(found)


def test_a_window_ends_early_and_finished_frames_are_kept(weights):
    estimator = DepthEstimator(MODEL, weights, 'cpu', 'fp32', 'torch')
    asked = []

    def stop():
        asked.append(0)
        return len(asked) > limit

    pictures = [Picture(number, 10**8 * number) for number in range(70)]
    limit = 10**9
    assert len(list(estimate_in_windows(estimator, pictures[:32], stop=stop))) == 32
    of_a_window = len(asked) // 2  # the second one repeats the last frame
    assert of_a_window > 50
    for limit, kept in ((10, 0), (of_a_window + 10, 24)):
        asked.clear()
        estimator.reset()
        assert len(list(estimate_in_windows(estimator, pictures, stop=stop))) == kept
        assert len(asked) == limit + 1


def test_settings_without_effect_are_named(tmp_path, weights, capsys):
    bag = write(tmp_path / 'bag', *camera_messages(2, SIZE))
    command = ['infer', str(bag), '-o', str(tmp_path / 'out'), *options(weights)]
    given = ['--depth-output', 'relative', '--depth-scale', '2', '--depth-max', '50']
    assert main([*command, *given]) == 0
    assert (
        'no effect with --depth-output relative: --depth-scale, --depth-max'
        in capsys.readouterr().err
    )


def test_evaluation_compares_stream_windows_and_recorded_inverse_depth(weights, tmp_path):
    bag = write_bag(tmp_path / 'bag')
    relative = tmp_path / 'relative'
    run = ['infer', str(bag), '-o', str(relative), *options(weights), '--window']
    assert main([*run, '--depth-output', 'relative']) == 0
    model = f'{MODEL},weights={weights},engine=torch,precision=fp32'
    candidates = [
        '--model',
        f'{model},label=stream',
        '--model',
        f'{model},window=on,label=windows',
    ]
    candidates += ['--predictions', f'{relative},label=recorded']
    output = tmp_path / 'report'
    assert main(['evaluate', str(bag), '-o', str(output), *candidates]) == 0
    found = {label: each['scores'] for label, each in report(output)['summary'].items()}
    assert set(found) == {'stream', 'windows', 'recorded'}
    assert {scores['none']['abs_rel'] for scores in found.values()} == {None}
    windows, recorded = (found[label]['scale_shift'] for label in ('windows', 'recorded'))
    assert windows['abs_rel'] == pytest.approx(recorded['abs_rel'], rel=1e-3)
    assert found['stream']['scale_shift']['flicker'] != windows['flicker']


@pytest.mark.parametrize(
    ('given', 'precision'), [({'precision': 'fp32'}, 'fp32'), ({'precision': 'int8'}, 'bf16')]
)
def test_pytorch_runs_windows_whatever_the_engine(weights, monkeypatch, given, precision):
    monkeypatch.setattr('flashdepth_ros.runtime.engines.choice.cpu_precision', lambda: 'bf16')
    candidate = parse_model(
        f'{MODEL},weights={weights},engine=openvino,window=on', update(ScaleSettings(), given)
    )
    estimator = candidate.estimator()
    facts = candidate.facts(estimator)
    assert (facts['engine'], facts['precision']) == ('torch', precision)
    assert len(list(estimate_in_windows(estimator, [Picture(0, 0)]))) == 1


def test_windows_are_the_default_only_of_models_that_have_them():
    defaults = ScaleSettings()
    assert not parse_model('flashdepth-tiny', defaults, windows=True).windows
    assert parse_model(MODEL, defaults, windows=True).windows
    assert not parse_model(f'{MODEL},temporal=off', defaults, windows=True).windows
    for text in ('flashdepth-tiny,window=on', f'{MODEL},temporal=off,window=on'):
        with pytest.raises(ConfigError):
            parse_model(text, defaults)
