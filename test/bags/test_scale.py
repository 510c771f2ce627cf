"""The scale of recordings: `calibrate`, and `--scale-from` of `infer` and `evaluate`."""

import numpy as np
import pytest

from flashdepth_ros.bags import BagReader, BagWriter, build_message, header
from flashdepth_ros.camera.geometry import Intrinsics, back_project, rays
from flashdepth_ros.camera.pose import rigid
from flashdepth_ros.cli import main
from flashdepth_ros.evaluation.candidates import parse_model
from flashdepth_ros.messages import read_depth
from flashdepth_ros.runtime.scale import ScaleSettings
from support.evaluation_bags import cloud, depth_image, transforms
from support.evaluation_runs import scores
from support.node_process import golden_weights
from support.recordings import camera_messages, stamp_of, write

MODEL, RELATIVE = 'flashdepth-tiny-s', 'video-depth-anything-tiny'
FRAMES, SIZE, FACTOR = 12, (70, 84), 0.5
REFERENCE = '/depth_camera/image'


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    return golden_weights(tmp_path_factory.mktemp('weights'), MODEL)


@pytest.fixture(scope='module')
def model(weights):
    return ('--model', MODEL, '--weights', str(weights), '--engine', 'torch')


@pytest.fixture(scope='module')
def plain(tmp_path_factory, model):
    """Depth as the model estimates it, before any scale."""
    folder = tmp_path_factory.mktemp('plain')
    bag = write(folder / 'bag', *camera_messages(FRAMES, SIZE))
    infer = ('infer', str(bag), '-o', str(folder / 'out'))
    assert main([*infer, *model]) == 0
    return depths(folder / 'out')


def depths(path):
    with BagReader(path) as bag:
        return [read_depth(bag.message(each)) for each in bag.records('/depth/image')]


def write_reference(path, plain, frame_id='camera', late_ns=0):
    """Write images, and depth that is the model's times `FACTOR`, with outliers."""
    write(path.with_name('images'), *camera_messages(FRAMES, SIZE))
    with BagReader(path.with_name('images')) as bag, BagWriter(path) as target:
        records = sorted(bag.records(), key=lambda each: each.stamp_ns)
        references = list(enumerate(plain))
        for record in records:
            while references and stamp_of(references[0][0]) + late_ns <= record.stamp_ns:
                index, depth = references.pop(0)
                wrong = (FACTOR * depth).astype(np.float32)
                wrong[::10, ::10] *= 4.0
                message = depth_image(wrong, stamp_of(index), frame_id=frame_id)
                target.write(REFERENCE, message, stamp_of(index) + late_ns)
            target.write_cdr(record.topic, record.type, record.data, record.stamp_ns)
    return path


@pytest.mark.parametrize('late_ns', [0, 150_000_000])
def test_infer_follows_the_reference_as_it_was_recorded(tmp_path, plain, model, late_ns, capsys):
    bag = write_reference(tmp_path / 'bag', plain, late_ns=late_ns)
    out = tmp_path / 'out'
    options = ('--scale-from', REFERENCE)
    assert main(['infer', str(bag), '-o', str(out), *model, *options]) == 0
    factors = [
        float(np.median(scaled / unscaled))
        for scaled, unscaled in zip(depths(out), plain, strict=True)
    ]
    # Three references of a sequence are needed; the first one came before its first frame.
    start = 3 if not late_ns else 4
    assert factors[:start] == pytest.approx([1.0] * start)
    assert factors[5:] == pytest.approx([FACTOR] * (FRAMES - 5), rel=0.01)
    assert 'last scale 0.5' in capsys.readouterr().out
    with BagReader(out) as written:
        assert written.custom_data['scale_from'] == REFERENCE
        assert written.custom_data['scale.source'] == 'depth'


def write_points(path, plain, scan):
    """Write images, and points through /tf_static whose metres are the model's times `FACTOR`."""
    height, width = SIZE
    camera = Intrinsics(width, height, 60.0, 60.0, (width - 1) / 2, (height - 1) / 2)
    directions = rays(camera)
    with BagWriter(path) as target:
        pose = (0.0, 0.0, 0.0, 0.5, -0.5, 0.5, 0.5)
        target.write('/tf_static', transforms(('camera', 'lidar', 0, pose)), 0)
        to_lidar = np.linalg.inv(rigid(pose))[:3, :3]
        for index, (topic, message) in enumerate(camera_messages(FRAMES, SIZE)):
            stamp = stamp_of(index // 2)
            if topic.endswith('image_raw'):
                depth = (FACTOR * plain[index // 2]).astype(np.float32)
                points = back_project(depth, directions).reshape(-1, 3) @ to_lidar.T
                reference = (laser_scan if scan else cloud)(points, 'lidar', stamp)
                target.write('/lidar', reference, stamp)
            target.write(topic, message, stamp)
    return path


def laser_scan(points, frame_id, stamp):
    """Return a scan of the points nearest to the plane of the scanner."""
    angles = np.linspace(-0.5, 0.5, 81)
    flat = points[np.abs(points[:, 2]) < 0.01 * np.abs(points[:, 0])]
    own = np.arctan2(flat[:, 1], flat[:, 0])
    nearest = np.abs(own - angles[:, None]).argmin(axis=1)
    return build_message(
        'sensor_msgs/msg/LaserScan',
        header=header(stamp, frame_id),
        angle_min=-0.5,
        angle_max=0.5,
        angle_increment=1 / 80,
        range_max=100.0,
        ranges=np.hypot(*flat[nearest, :2].T).astype(np.float32),
    )


@pytest.mark.parametrize('scan', [False, True])
def test_points_through_tf_are_a_reference_too(tmp_path, plain, model, scan, capsys):
    bag = write_points(tmp_path / 'bag', plain, scan)
    options = ('--scale-source', 'points')
    assert main(['calibrate', str(bag), *model, *options]) == 0
    value = float(capsys.readouterr().out.splitlines()[0].partition(': ')[2])
    assert value == pytest.approx(FACTOR, rel=0.02)


def test_the_height_of_the_camera_is_a_reference_too(tmp_path, plain, model, capsys):
    bag = tmp_path / 'bag'
    with BagWriter(bag) as target:
        # The camera looks straight down, and what it sees is nearly flat.
        looks_down = (0.0, 0.0, 0.7, 1.0, 0.0, 0.0, 0.0)
        target.write('/tf_static', transforms(('base_link', 'camera', 0, looks_down)), 0)
        for index, (topic, message) in enumerate(camera_messages(FRAMES, SIZE)):
            target.write(topic, message, stamp_of(index // 2))
    options = ('--scale-source', 'height', '--scale-camera-height', '0.7')
    assert main(['calibrate', str(bag), *model, *options]) == 0
    value = float(capsys.readouterr().out.splitlines()[0].partition(': ')[2])
    assert value == pytest.approx(0.7 / float(np.median(plain)), rel=0.05)
    assert main(['calibrate', str(bag), *model, *options, '--scale-from', '/cam/image_raw']) == 1
    assert 'expected no topic' in capsys.readouterr().err
    candidate = parse_model(f'{MODEL},scale_source=height,camera_height=0.7', ScaleSettings())
    assert candidate.is_scaled
    assert candidate.settings.scale_camera_height == 0.7


def test_calibrate_prints_the_line_for_the_parameter_file(tmp_path, plain, model, capsys):
    bag = write_reference(tmp_path / 'bag', plain)
    assert main(['calibrate', str(bag), *model]) == 0
    lines = capsys.readouterr().out.splitlines()
    name, _, value = lines[0].partition(': ')
    assert name == 'depth.scale'
    assert float(value) == pytest.approx(FACTOR, rel=0.01)
    assert '% are within 25 %' in lines[1]
    assert not any('varies' in line for line in lines)
    assert main(['calibrate', str(bag), *model, '--scale-model', 'scale_shift']) == 1
    assert 'one factor without a shift' in capsys.readouterr().err


def test_evaluate_compares_with_and_without_a_reference(tmp_path, plain, weights, capsys):
    bag = write_reference(tmp_path / 'bag', plain)
    common = f'{MODEL},weights={weights},engine=torch'
    candidates = (f'{common},label=plain', f'{common},scale_from={REFERENCE},label=scaled')
    options = [word for each in candidates for word in ('--model', each)]
    out = tmp_path / 'report'
    assert main(['evaluate', str(bag), '-o', str(out), *options]) == 0
    (line,) = [each for each in capsys.readouterr().out.splitlines() if 'fitted to' in each]
    assert line.startswith(f'bag: scaled: scale fitted to {REFERENCE}, last ')
    plain_error, scaled_error = (
        scores(out, label)['none']['abs_rel'] for label in ('plain', 'scaled')
    )
    assert plain_error == pytest.approx(1 / FACTOR - 1, abs=0.05)
    # The first three of twelve frames have no scale yet.
    assert scaled_error == pytest.approx(plain_error / 4, abs=0.05)


def test_a_relative_model_gives_metres_from_the_first_fit_on(tmp_path, plain, capsys):
    bag = write_reference(tmp_path / 'bag', plain)
    weights = golden_weights(tmp_path, RELATIVE)
    model = ('--model', RELATIVE, '--weights', str(weights), '--engine', 'torch')
    options = ('--scale-source', 'depth', '--scale-min-inliers', '0')
    out = tmp_path / 'out'
    assert main(['infer', str(bag), '-o', str(out), *model, *options]) == 0
    assert len(depths(out)) == FRAMES - 3
    assert '3 before the first scale left out' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (('--scale-from', '/nothing'), "no topic '/nothing'"),
        (('--scale-from', '/cam/camera_info'), 'cannot give the scale'),
    ],
)
def test_a_topic_that_cannot_give_the_scale_is_refused(
    tmp_path, plain, model, options, reason, capsys
):
    bag = write_reference(tmp_path / 'bag', plain)
    assert main(['infer', str(bag), '-o', str(tmp_path / 'out'), *model, *options]) == 1
    assert reason in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_a_reference_of_another_camera_is_reported(tmp_path, plain, model, capsys):
    bag = write_reference(tmp_path / 'bag', plain, frame_id='other')
    out = tmp_path / 'out'
    assert main(['infer', str(bag), '-o', str(out), *model, '--scale-from', REFERENCE]) == 0
    error = capsys.readouterr().err
    assert f'no scale was fitted to {REFERENCE}' in error
    assert "frame_id 'other'" in error
    assert main(['calibrate', str(bag), *model]) == 1
    assert "frame_id 'other'" in capsys.readouterr().err
