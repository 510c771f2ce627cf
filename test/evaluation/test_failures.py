"""Errors of `flashdepth evaluate`, and the results it keeps after an error."""

from html import escape
import os
from pathlib import Path
import subprocess
import sys

import numpy as np
import pytest

from flashdepth_ros.bags import BagReader, BagWriter
from flashdepth_ros.evaluation import candidates, paired_bag
from flashdepth_ros.evaluation.bag import Task, evaluate_bag
from flashdepth_ros.evaluation.candidates import Loaded, RecordedCandidate
from flashdepth_ros.evaluation.map_file import MapFile
from flashdepth_ros.evaluation.protocol import Protocol, Topics
from flashdepth_ros.evaluation.transforms import TransformTree
from support.evaluation_bags import (
    FRAMES,
    STEP_NS,
    depth_image,
    image,
    stamp_ns,
    wall_depth,
    write_bag,
    write_predictions,
)
from support.evaluation_runs import evaluate, noisy, report, scores


@pytest.mark.parametrize(
    ('arguments', 'options', 'message'),
    [
        ([], {'offset_ns': STEP_NS * 100}, 'within 0.025 s; the nearest is 9.500 s away'),
        ([], {'offset_ns': STEP_NS * 10**6}, 'header stamps are of different clocks'),
        ([], {'truth': None}, 'true depth: '),
        ([], {'images': False}, 'no matching topic of type'),
        (['--depth-topic', '/nowhere'], {}, "no topic '/nowhere'"),
        (['--depth-min', '50'], {}, 'has no depth between 50 and 100 m'),
        (['--lidar-topic', '/odom'], {}, 'cannot be used; expected sensor_msgs/msg/PointCloud2'),
        (['--odometry-topic', '/gone'], {}, "no topic '/gone'"),
        (['--model', 'flashdepth-huge'], {}, "'flashdepth-huge' is not allowed"),
        (['--model', 'flashdepth-tiny,speed=9'], {}, "unknown key 'speed'"),
        (['--model', 'flashdepth-tiny,temporal=maybe'], {}, "temporal 'maybe'"),
        (['--predictions', 'nothing'], {}, 'no such bag or folder'),
        (['--depth-max', '0.01'], {}, 'depth limits'),
        (['--lidar-pose=1,2,3'], {}, 'expected seven numbers'),
    ],
)
def test_an_error_is_reported_in_one_line(tmp_path, capsys, arguments, options, message):
    bag = write_bag(tmp_path / 'bag', **options)
    predictions = write_predictions(tmp_path / 'predicted', wall_depth)
    assert evaluate(tmp_path / 'out', bag, '--predictions', predictions, *arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith('flashdepth evaluate: ')
    assert message in error
    assert error.count('\n') == 1
    assert not (tmp_path / 'out' / 'report.html').exists()


def test_results_are_kept_if_another_bag_fails(tmp_path, capsys):
    good, bad = write_bag(tmp_path / 'good'), write_bag(tmp_path / 'bad', truth=None)
    predictions = write_predictions(tmp_path / 'predicted', wall_depth)
    assert evaluate(tmp_path / 'out', bad, good, '--predictions', predictions) == 1
    assert capsys.readouterr().err.startswith('flashdepth evaluate: bad: ')
    assert report(tmp_path / 'out')['summary']['predicted']['frames'] == FRAMES
    assert 'The evaluation is incomplete' in (tmp_path / 'out' / 'report.html').read_text()
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'frames.csv',
        'report.html',
        'report.json',
    ]


def test_frames_before_damage_are_evaluated(tmp_path, capsys):
    bag = tmp_path / 'bag'
    with BagWriter(bag, compress=True) as writer:
        for index in range(30):
            noise = np.random.default_rng(index).integers(0, 256, (160, 213, 3), np.uint8)
            writer.write('/image', image(noise, stamp_ns(index)), index)
            depth = depth_image(wall_depth(0), stamp_ns(index))
            writer.write('/true', depth, index)
    content = bytearray((bag / 'bag.mcap').read_bytes())
    content[2_000_000:2_500_000] = bytes(500_000)
    (bag / 'bag.mcap').write_bytes(content)
    predictions = write_predictions(tmp_path / 'predicted', noisy, frames=30)
    assert evaluate(tmp_path / 'out', bag, '--predictions', predictions) == 1
    assert 'is damaged' in capsys.readouterr().err
    assert 5 < report(tmp_path / 'out')['summary']['predicted']['frames'] < 30


def test_an_interrupted_run_keeps_the_evaluated_frames(tmp_path):
    bag = write_bag(tmp_path / 'bag')
    candidate = RecordedCandidate(write_predictions(tmp_path / 'predicted', noisy), '', 'noise')
    answers = iter([False, False, False, True])
    task = Task((candidate,), Topics(), Protocol(), Loaded(), tmp_path, stop=lambda: next(answers))
    result = evaluate_bag(bag, task)
    assert result.interrupted
    assert result.failures == ['noise: interrupted after 3 frames']
    assert len(result.candidates[0].scored) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ['bag', 'predicted']


def test_a_report_is_only_replaced_with_overwrite(tmp_path, capsys):
    predictions = write_predictions(tmp_path / 'predicted', wall_depth)
    arguments = (write_bag(tmp_path / 'bag'), '--predictions', predictions)
    output = tmp_path / 'out'
    assert evaluate(output, *arguments) == 0
    assert evaluate(output, *arguments) == 1
    assert '--overwrite' in capsys.readouterr().err
    # Maps of a run that was killed.
    (output / '.scratch-old').mkdir()
    assert evaluate(output, *arguments, '--overwrite') == 0
    assert not list(output.glob('.*'))


class FailingEstimator:
    """Raises an error when it is used."""

    def __init__(self, error):
        self.error = error

    def warm_up(self, *_size):
        raise self.error


ERRORS = {
    'MemoryError': (MemoryError('8 GiB'), '8 GiB'),
    'RuntimeError': (RuntimeError('CUDA out of memory.\nTried to allocate'), 'memory. Tried to'),
    'OSError': (OSError(28, 'No space left on device'), 'No space left on device'),
    'ZeroDivisionError': (ZeroDivisionError('strange'), 'ZeroDivisionError: strange (test_fail'),
}


@pytest.mark.parametrize(('error', 'reason'), ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize('stage', ['load', 'run'])
def test_a_candidate_that_fails_does_not_stop_the_others(
    tmp_path, capsys, monkeypatch, stage, error, reason
):
    def create(_settings, _windows):
        if stage == 'load':
            raise error
        return FailingEstimator(error)

    monkeypatch.setattr(candidates, 'create_estimator', create)
    monkeypatch.setattr(candidates.ModelCandidate, 'facts', lambda *_: {'device_name': 'none'})
    predictions = write_predictions(tmp_path / 'predicted', wall_depth)
    arguments = ('--model', 'flashdepth-tiny', '--predictions', predictions)
    assert evaluate(tmp_path / 'out', write_bag(tmp_path / 'bag'), *arguments) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith('flashdepth evaluate: bag: flashdepth-tiny: ')
    assert reason in lines[-1]
    found = report(tmp_path / 'out')
    assert found['summary']['predicted']['frames'] == FRAMES
    assert found['failures'] == [lines[-1].removeprefix('flashdepth evaluate: ')]
    assert escape(found['failures'][0]) in (tmp_path / 'out' / 'report.html').read_text()


def test_a_bag_that_fails_in_an_unexpected_way_does_not_stop_the_others(
    tmp_path, capsys, monkeypatch
):
    def read(bag, *_):
        if bag.path.name == 'bad':
            raise KeyError('strange')
        return TransformTree()

    monkeypatch.setattr(paired_bag, 'read_transforms', read)
    bags = [write_bag(tmp_path / name) for name in ('bad', 'good')]
    predictions = write_predictions(tmp_path / 'predicted', wall_depth)
    assert evaluate(tmp_path / 'out', *bags, '--predictions', predictions) == 1
    assert "evaluate: bad: KeyError: 'strange'" in capsys.readouterr().err
    assert report(tmp_path / 'out')['summary']['predicted']['frames'] == FRAMES


def test_all_failures_are_reported_if_there_is_no_report(tmp_path, capsys):
    bags = [write_bag(tmp_path / name, truth=None) for name in ('one', 'two')]
    predictions = write_predictions(tmp_path / 'predicted', wall_depth)
    assert evaluate(tmp_path / 'out', *bags, '--predictions', predictions) == 1
    error = capsys.readouterr().err
    first, second, last = error.splitlines()
    assert first.startswith('one: ')
    assert second.startswith('two: ')
    assert last == 'flashdepth evaluate: nothing could be evaluated: 2 failures, see above'


@pytest.mark.parametrize('arguments', [[], ['--depth-topic', '/camera/depth']])
def test_a_broken_first_depth_image_is_left_out(tmp_path, arguments):
    bag = tmp_path / 'bag'
    write_bag(tmp_path / 'whole')
    with BagReader(tmp_path / 'whole') as source, BagWriter(bag) as writer:
        for record in source.records():
            first = record.stamp_ns == stamp_ns(0) and record.topic == '/camera/depth'
            data = record.data[: 200 if first else None]
            writer.write_cdr(record.topic, record.type, data, record.stamp_ns)
    predictions = write_predictions(tmp_path / 'predicted', wall_depth)
    assert evaluate(tmp_path / 'out', bag, '--predictions', predictions, *arguments) == 0
    assert report(tmp_path / 'out')['summary']['predicted']['frames'] == FRAMES - 1
    assert scores(tmp_path / 'out')['none']['abs_rel'] == pytest.approx(0.0, abs=1e-6)


def test_a_file_of_the_report_that_cannot_be_written_is_named(tmp_path, capsys):
    output = tmp_path / 'out'
    (output / 'report.html').mkdir(parents=True)
    predictions = write_predictions(tmp_path / 'predicted', wall_depth)
    arguments = (write_bag(tmp_path / 'bag'), '--predictions', predictions, '--overwrite')
    assert evaluate(output, *arguments) == 1
    printed = capsys.readouterr()
    assert printed.err.count('\n') == 1
    assert f'{output}: cannot write the report: report.html: Is a directory' in printed.err
    assert 'predicted' in printed.out
    assert report(output)['summary']['predicted']['frames'] == FRAMES


def test_a_full_disk_is_reported_where_a_map_is_written(tmp_path):
    maps = MapFile(Path('/dev/full'), (2, 2), np.float32)
    with pytest.raises(OSError, match='No space left'):
        maps[0] = np.zeros((2, 2), np.float32)
    assert 0 not in maps
    maps.close()


def test_a_terminal_that_lacks_characters_is_enough(tmp_path):
    predictions = write_predictions(tmp_path / 'predicted', wall_depth)
    bag = write_bag(tmp_path / 'bag')
    command = ['evaluate', bag, '--predictions', f'{predictions},label=δ', '-o', tmp_path / 'out']
    done = subprocess.run(
        [sys.executable, '-m', 'flashdepth_ros.cli', *map(str, command)],
        env=os.environ | {'PYTHONIOENCODING': 'ascii'},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b'delta1' in done.stdout
    assert (tmp_path / 'out' / 'report.html').exists()
