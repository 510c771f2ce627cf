"""Exported models in the estimator: the same as with PyTorch, and without PyTorch."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from flashdepth_ros.errors import InputError
from flashdepth_ros.runtime import DepthEstimator
from support import exported_models
from support.golden_models import golden_model
from support.paths import ROOT

pytest.importorskip('onnx')
pytest.importorskip('onnxscript')
pytest.importorskip('onnxruntime')
pytestmark = pytest.mark.filterwarnings('ignore::DeprecationWarning', 'ignore::FutureWarning')

PRESET, (WIDTH, HEIGHT) = exported_models.PRESET, exported_models.SIZE
IMAGE = (140, 196)
"""Height and width of an image with the shape of the frames."""
STEP_NS = 100_000_000
MATRIX = (200.0, 0.0, 98.0, 0.0, 200.0, 70.0, 0.0, 0.0, 1.0)
ENGINES = ('onnxruntime', 'openvino')


@pytest.fixture(scope='module', autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
        yield


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    return exported_models.exported(tmp_path_factory.mktemp('exported'))


@pytest.fixture(params=ENGINES)
def estimator(request, path):
    pytest.importorskip(request.param)
    return DepthEstimator(PRESET, path, 'cpu', 'fp32', request.param)


def images(count, size=IMAGE):
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 255, (size[0] // 14, size[1] // 14, 3), np.uint8)
    image = blocks.repeat(14, axis=0).repeat(14, axis=1)
    return [np.roll(image, 3 * index, axis=1) for index in range(count)]


def depths(estimator, count=8):
    """Estimate a stream with a gap before frame 5; return depth and reset reasons."""
    frames = [
        estimator.estimate(
            image, (index + 100 * (index >= 5)) * STEP_NS, camera_matrix=(200.0,) * 9
        )
        for index, image in enumerate(images(count))
    ]
    return np.stack([frame.depth for frame in frames]), [frame.reset_reason for frame in frames]


def test_depth_and_resets_are_those_of_pytorch(estimator):
    weights = golden_model(PRESET).state_dict()
    reference = DepthEstimator(PRESET, weights, 'cpu', 'fp32', 'torch', short_side=HEIGHT)
    assert reference.inference_size(*IMAGE) == (HEIGHT, WIDTH)
    found, reasons = depths(estimator)
    expected, expected_reasons = depths(reference)
    assert reasons == expected_reasons == ['first_frame', '', '', '', '', 'gap', '', '']
    limit = 1e-4 if estimator.engine.name == 'onnxruntime' else 1e-3
    np.testing.assert_allclose(1 / found, 1 / expected, atol=limit)
    assert estimator.config == reference.config
    assert estimator.state_memory_bytes() == reference.state_memory_bytes()


def test_a_non_finite_state_does_not_affect_later_frames(estimator):
    expected, _ = depths(estimator, 3)
    estimator.reset()
    session, run = estimator.engine._session, estimator.engine._session.run

    def invalid(frames, parts):
        session.run = run
        inverse_depth, _ = run(frames, parts)
        nans = tuple(np.full_like(session.array(part), np.nan) for part in parts)
        if session.name == 'onnxruntime':
            nans = tuple(map(session._runtime.OrtValue.ortvalue_from_numpy, nans))
        return inverse_depth, nans

    session.run = invalid
    first, second, third = (
        estimator.estimate(image, (1000 + index) * STEP_NS)
        for index, image in enumerate(images(3))
    )
    assert [each.reset_reason for each in (first, second, third)] == [
        'requested',
        'non_finite',
        '',
    ]
    assert all(np.isfinite(each.inverse_depth).all() for each in (first, second, third))
    assert third.depth.shape == expected[2].shape


def test_results_and_state_do_not_change_later(path):
    engine = exported_models.engine_for(path)
    first, second = (frame.numpy() for frame in exported_models.clips((WIDTH, HEIGHT), 1, 2))
    depth, state = engine.run(first, None, reuse_state=True)
    kept = depth.copy()
    once, _ = engine.run(second, state, reuse_state=True)
    again, _ = engine.run(second, state, reuse_state=True)
    np.testing.assert_array_equal(once, again)
    np.testing.assert_array_equal(depth, kept)


@pytest.mark.parametrize('size', [(70, 98), (71, 100), (1400, 1960), (480, 640), (720, 1280)])
def test_images_of_the_shape_of_the_frames_are_resized_others_are_one_line(estimator, size):
    height, width = size
    ratio = (width / height) / (WIDTH / HEIGHT)
    if 0.9 < ratio < 1.1:
        assert estimator.inference_size(height, width) == (HEIGHT, WIDTH)
    if ratio > 1.25:
        expected = f'an image of {width}x{height} does not have the shape of {WIDTH}x{HEIGHT}'
        with pytest.raises(InputError, match=expected):
            estimator.estimate(np.zeros((height, width, 3), np.uint8), 0)
    estimator.warm_up(height, width)


@pytest.mark.parametrize('name', ENGINES)
def test_frames_and_states_that_do_not_fit_are_rejected(path, name):
    pytest.importorskip(name)
    engine = exported_models.engine_for(path, name, 'fp32')
    frame = exported_models.clips((WIDTH, HEIGHT), 1, 1)[0].numpy()
    for wrong in (frame[..., :84], np.concatenate((frame, frame)), frame.astype(np.float64)):
        with pytest.raises(InputError, match='for this size and number of streams alone'):
            engine.run(wrong, None)
    _, other = exported_models.engine_for(path, name, 'fp32').run(frame, None)
    with pytest.raises(InputError, match='state of another model'):
        engine.run(frame, other)


WITHOUT_TORCH = """
import json, sys
import numpy as np
from flashdepth_ros.runtime import DepthEstimator
estimator = DepthEstimator(sys.argv[1], sys.argv[2], 'cpu', 'fp32', sys.argv[3])
estimator.warm_up(480, 640)
depth = estimator.estimate(np.zeros((140, 196, 3), np.uint8), 0).depth
print(json.dumps([estimator.engine.name, depth.shape, 'torch' in sys.modules]))
"""


def run_without_torch(*words):
    path = [str(ROOT / 'test' / 'support' / 'without_torch'), str(ROOT)]
    return subprocess.run(
        [sys.executable, *words],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(path)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize('name', ENGINES)
def test_an_exported_model_runs_without_pytorch(path, name):
    pytest.importorskip(name)
    ran = run_without_torch('-c', WITHOUT_TORCH, PRESET, str(path), name)
    assert not ran.returncode, ran.stderr
    assert json.loads(ran.stdout) == [name, list(IMAGE), False]


def test_weights_without_pytorch_are_one_line_that_says_what_to_do(path, tmp_path):
    ran = run_without_torch(
        '-c', WITHOUT_TORCH, PRESET, str(shutil.copy(path, tmp_path / 'a.pth')), 'auto'
    )
    assert 'flashdepth export' in ran.stderr.strip().splitlines()[-1]
    ran = run_without_torch('-m', 'flashdepth_ros.cli', 'bench', '--weights', str(path))
    assert ran.returncode == 1
    assert ran.stderr.count('\n') == 1
    assert "pip install '.[torch]'" in ran.stderr
