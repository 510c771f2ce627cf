"""Errors of `flashdepth evaluate`, and the results it keeps after an error."""

import numpy as np
import pytest

from flashdepth_ros.bags import BagWriter
from flashdepth_ros.evaluation.bag import Task, evaluate_bag
from flashdepth_ros.evaluation.candidates import RecordedCandidate
from flashdepth_ros.evaluation.protocol import Protocol, Topics
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
from support.evaluation_runs import evaluate, noisy, report


@pytest.mark.parametrize(
    ('arguments', 'options', 'message'),
    [
        ([], {'offset_ns': STEP_NS * 100}, 'within 0.025 s; the nearest is 9.500 s away'),
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
    task = Task((candidate,), Topics(), Protocol(), {}, tmp_path, stop=lambda: next(answers))
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
