"""Recordings whose header stamps do not identify the images: a perfect prediction has no error."""

import pytest

from flashdepth_ros.bags import BagReader, BagWriter
from flashdepth_ros.camera.geometry import back_project, rays
from support.evaluation_bags import (
    CAMERA,
    CAMERA_64,
    FRAMES,
    STEP_NS,
    cloud,
    restamp,
    stamp_ns,
    wall_depth,
    write_bag,
    write_predictions,
)
from support.evaluation_runs import evaluate, frames, report, scores

IMAGES, TRUTH = '/camera/image_raw', '/camera/depth'


def zero(_recorded_ns):
    return 0


def constant(_recorded_ns):
    return 7 * 10**9


def restarted(recorded_ns):
    """Start again after half of the frames."""
    half = stamp_ns(FRAMES // 2)
    return recorded_ns if recorded_ns < half else recorded_ns - half + stamp_ns(0)


def repeated(recorded_ns):
    """Repeat the stamp of the frame before, for two frames."""
    return recorded_ns - STEP_NS * (recorded_ns in (stamp_ns(1), stamp_ns(4)))


def seconds_only(recorded_ns):
    return recorded_ns // 10**9 * 10**9


def run(tmp_path, stamp_at, topics=None, of_predictions=None):
    """Evaluate a perfect prediction on a bag with these stamps; return the output folder."""
    write_bag(tmp_path / 'plain')
    write_predictions(tmp_path / 'plain_predictions', wall_depth)
    bag = restamp(tmp_path / 'plain', tmp_path / 'bag', stamp_at, topics)
    predictions = restamp(
        tmp_path / 'plain_predictions', tmp_path / 'predicted', of_predictions or stamp_at
    )
    assert evaluate(tmp_path / 'out', bag, '--predictions', predictions) == 0
    return tmp_path / 'out'


@pytest.mark.parametrize('stamp_at', [zero, constant, restarted, repeated])
def test_a_perfect_prediction_has_no_error(tmp_path, capsys, stamp_at):
    output = run(tmp_path, stamp_at)
    summary = report(output)['summary']['predicted']
    assert summary['frames'] == FRAMES
    for metric in ('abs_rel', 'tae', 'flicker'):
        assert summary['scores']['none'][metric] == pytest.approx(0.0, abs=2e-5), metric
    assert [int(row['index']) for row in frames(output)] == list(range(FRAMES))
    warnings, error = report(output)['bags'][0]['warnings'], capsys.readouterr().err
    assert warnings
    for warning in warnings:
        assert warning in (output / 'report.html').read_text()
        assert error.count(warning) == 1


@pytest.mark.parametrize('topics', [[IMAGES], [TRUTH]])
@pytest.mark.parametrize('stamp_at', [zero, repeated, seconds_only])
def test_the_stamps_of_one_topic_may_not_identify_its_messages(tmp_path, topics, stamp_at):
    of_predictions = stamp_at if topics == [IMAGES] else None
    output = run(tmp_path, stamp_at, topics, of_predictions or (lambda recorded_ns: recorded_ns))
    assert report(output)['summary']['predicted']['frames'] == FRAMES
    assert scores(output)['none']['abs_rel'] == pytest.approx(0.0, abs=2e-5)


def test_stamps_that_identify_the_images_cause_no_warning(tmp_path, capsys):
    output = run(tmp_path, lambda recorded_ns: recorded_ns)
    assert report(output)['bags'][0]['warnings'] == []
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize('stamp_at', [zero, restarted])
def test_lidar_points_are_paired_and_transformed_whatever_the_stamps_are(tmp_path, stamp_at):
    """The lidar moves with the camera; its poses have the stamps of the images."""
    plain, bag = tmp_path / 'plain', tmp_path / 'bag'
    write_bag(tmp_path / 'images', truth=None)
    with BagReader(tmp_path / 'images') as source, BagWriter(plain) as writer:
        for record in source.records():
            writer.write_cdr(record.topic, record.type, record.data, record.stamp_ns)
            if record.topic == IMAGES:
                index = (record.stamp_ns - stamp_ns(0)) // STEP_NS
                points = back_project(wall_depth(index), rays(CAMERA_64)).reshape(-1, 3)
                writer.write('/lidar', cloud(points, CAMERA, record.stamp_ns), record.stamp_ns)
    restamp(plain, bag, stamp_at)
    write_predictions(tmp_path / 'plain_predictions', wall_depth)
    predictions = restamp(tmp_path / 'plain_predictions', tmp_path / 'predicted', stamp_at)
    arguments = (bag, '--predictions', predictions, '--lidar-topic', '/lidar')
    assert evaluate(tmp_path / 'out', *arguments) == 0
    assert report(tmp_path / 'out')['summary']['predicted']['frames'] == FRAMES
    assert scores(tmp_path / 'out')['none']['abs_rel'] == pytest.approx(0.0, abs=1e-5)
