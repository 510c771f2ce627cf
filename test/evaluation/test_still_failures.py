"""Errors of `flashdepth evaluate-frames`, and the results it keeps after an error."""

import cv2
import numpy as np
import pytest

from flashdepth_ros import cli
from flashdepth_ros.evaluation import candidates
from flashdepth_ros.evaluation.bag import Task
from flashdepth_ros.evaluation.candidates import Loaded, ModelCandidate
from flashdepth_ros.evaluation.protocol import Protocol, Topics
from flashdepth_ros.evaluation.stills.set_evaluation import evaluate_set
from flashdepth_ros.network.presets import DEFAULT_MODEL
from flashdepth_ros.runtime.scale import ScaleSettings
from support.evaluation_runs import report
from support.still_sets import RedReader, camera_yaml, depth_of, levels, write_set, write_still


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Evaluate a folder with a reader of the red channel as the model; return the status."""

    def run(*arguments, reader=None):
        monkeypatch.setattr(candidates, 'create_estimator', lambda *_: reader or RedReader())
        facts = {'device_name': 'none'}
        monkeypatch.setattr(candidates.ModelCandidate, 'facts', lambda *_: facts)
        words = ['evaluate-frames', *map(str, arguments), '-o', str(tmp_path / 'out')]
        return cli.main(words)

    return run


def _8_bits(folder):
    (folder / 'bad.depth.npy').unlink()
    cv2.imwrite(str(folder / 'bad.depth.png'), levels())


def _no_depth_image(folder):
    (folder / 'bad.depth.npy').unlink()
    (folder / 'bad.depth.png').write_bytes(b'nothing')


BROKEN = {
    'image': (lambda f: (f / 'bad.png').write_bytes(b'nothing'), 'bad.png: cannot be read as an'),
    'no image': (lambda f: (f / 'bad.png').unlink(), 'bad.depth.npy: no image; expected one of'),
    'png': (_no_depth_image, 'bad.depth.png: cannot be read as a PNG file'),
    '8 bits': (_8_bits, 'bad.depth.png: uint8 with shape (48, 64); expected one channel of 16'),
    'npy': (lambda f: (f / 'bad.depth.npy').write_bytes(b'no'), 'cannot be read as an NPY file'),
    'integers': (
        lambda f: np.save(f / 'bad.depth.npy', levels()),
        'bad.depth.npy: uint8 with shape (48, 64); expected floating-point metres (H, W)',
    ),
    'limits': (
        lambda f: np.save(f / 'bad.depth.npy', 1000 * depth_of(levels())),
        'bad.depth.npy: no depth between 0.1 and 100 m; check its unit',
    ),
    'aspect': (
        lambda f: np.save(f / 'bad.depth.npy', depth_of(levels())[:20]),
        'bad.depth.npy is 64 x 20 px, bad.png 64 x 48 px; expected the same aspect ratio',
    ),
    'camera': (
        lambda f: (f / 'bad.camera.yaml').write_text('image_width: 64'),
        'bad.camera.yaml: image_height is missing; expected a calibration as camera_calibration',
    ),
    'uncalibrated': (
        lambda f: (f / 'bad.camera.yaml').write_text(camera_yaml([0.0] * 9)),
        'bad.camera.yaml: focal lengths fx=0.0 fy=0.0 px; both must be positive: calibrate',
    ),
    'other camera': (
        lambda f: (f / 'bad.camera.yaml').write_text(camera_yaml(width=100)),
        'bad.camera.yaml is of 100 x 48 px, bad.png of 64 x 48 px; expected the calibration',
    ),
}


@pytest.mark.parametrize(('break_it', 'message'), BROKEN.values(), ids=BROKEN)
def test_a_bad_frame_is_named_and_the_others_are_evaluated(
    tmp_path, capsys, read, break_it, message
):
    folder = write_still(write_set(tmp_path / 'sets' / 'set'), 'bad')
    write_set(tmp_path / 'sets' / 'zoo', images=1)
    break_it(folder)
    assert read(tmp_path / 'sets') == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith('flashdepth evaluate-frames: set: bad')
    assert message in error
    found = report(tmp_path / 'out')
    assert found['summary'][DEFAULT_MODEL]['frames'] == 3
    assert found['summary'][DEFAULT_MODEL]['scores']['none']['delta1'] == 1.0
    assert message in found['failures'][0]


def test_an_image_that_the_model_refuses_is_named(tmp_path, capsys, read):
    folder = write_still(write_set(tmp_path / 'set'), 'bad', np.full((48, 64), 255, np.uint8))

    class Reader(RedReader):
        def estimate(self, rgb, *arguments):
            if rgb[..., 0].min() == 255:
                raise RuntimeError('CUDA out of memory.\nTried')
            return super().estimate(rgb, *arguments)

    assert read(folder, reader=Reader()) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert f'set: {DEFAULT_MODEL}: bad: RuntimeError: CUDA out of memory. Tried' in error
    assert report(tmp_path / 'out')['summary'][DEFAULT_MODEL]['frames'] == 2


def _with(name, text):
    return lambda folder: (folder / name).write_text(text)


@pytest.mark.parametrize(
    ('prepare', 'arguments', 'message'),
    [
        (_with('set.yaml', 'units: 5000'), [], 'expected the keys units_per_metre and video'),
        (_with('set.yaml', 'units_per_metre: 0'), [], 'units_per_metre is 0; expected a number'),
        (_with('set.yaml', 'video: 1'), [], 'set.yaml: video is 1; expected true'),
        (_with('set.yaml', '{'), [], 'set.yaml: not YAML in line 1; expected'),
        (lambda _: None, ['--model', 'flashdepth-huge'], "'flashdepth-huge' is not allowed"),
        (lambda _: None, ['--depth-max', '0.01'], 'depth limits'),
        (
            lambda _: None,
            ['--model', 'flashdepth-tiny,scale_from=/depth'],
            'scale_from needs a recording; expected one of weights, temporal,',
        ),
        (
            lambda _: None,
            ['--model', 'video-depth-anything-s,window=on'],
            'window needs a recording',
        ),
        (lambda f: [p.unlink() for p in f.glob('*.depth.npy')], [], 'no true depth; expected'),
    ],
)
def test_an_error_is_reported_in_one_line(tmp_path, capsys, read, prepare, arguments, message):
    folder = write_set(tmp_path / 'set')
    prepare(folder)
    assert read(folder, *arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith('flashdepth evaluate-frames: ')
    assert message in error
    assert error.count('\n') == 1
    assert not (tmp_path / 'out' / 'report.html').exists()


def test_a_missing_folder_is_named(tmp_path, capsys, read):
    assert read(tmp_path / 'gone') == 1
    assert 'gone: no such folder' in capsys.readouterr().err


def test_an_interrupted_run_keeps_the_evaluated_images(tmp_path):
    folder = write_set(tmp_path / 'set', images=3)
    candidate = ModelCandidate(ScaleSettings(), 'red')
    answers = iter([False, False, True])
    loaded = Loaded({'red': RedReader()})
    task = Task(
        (candidate,), Topics(), Protocol(), loaded, tmp_path, lambda: next(answers), progress=False
    )
    result = evaluate_set(folder, task)
    assert result.interrupted
    assert result.failures == ['red: interrupted after 2 images']
    assert len(result.candidates[0].scored) == 2
    assert [path.name for path in tmp_path.iterdir()] == ['set']
