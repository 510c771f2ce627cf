"""The parts of the demo: matching by stamps, accuracy, videos as recordings, the summary."""

import cv2
import numpy as np
import pytest

from flashdepth_ros.bags import BagReader, BagWriter, build_message, find_image_topic, header
from flashdepth_ros.bags.join import matched_records
from flashdepth_ros.bags.track import Track
from flashdepth_ros.bags.video import VideoOptions, record_video
from flashdepth_ros.camera.camera_info import read_intrinsics
from flashdepth_ros.errors import ConfigError, InputError
from flashdepth_ros.messages import depth_data, read_compressed
from flashdepth_ros.network import PRESETS
from flashdepth_ros.tools.demo.accuracy import measure
from flashdepth_ros.tools.demo.node_options import NodeOptions
from flashdepth_ros.tools.demo.recorder import COLOR_TOPIC, DIAGNOSTICS_TOPIC, TIMING_TOPIC
from flashdepth_ros.tools.demo.report import Played, write_report
from flashdepth_ros.tools.demo.source import open_source
from support.recordings import image, stamp_of, write

MS = 1_000_000


def depth_message(depth, stamp_ns, encoding='32FC1', frame_id='camera'):
    data = depth_data(np.asarray(depth, np.float32), encoding)
    return build_message(
        'sensor_msgs/msg/Image',
        header=header(stamp_ns, frame_id),
        height=data.shape[0],
        width=data.shape[1],
        encoding=encoding,
        step=data.strides[0],
        data=data.tobytes(),
    )


def write_depths(path, topic, depths, stamps_ns, encoding='32FC1', recorded_ns=None):
    """Write depth images; by default they are recorded at the times of their stamps."""
    with BagWriter(path) as bag:
        for depth, stamp_ns, recorded in zip(
            depths, stamps_ns, recorded_ns or stamps_ns, strict=True
        ):
            bag.write(topic, depth_message(depth, stamp_ns, encoding), recorded)
    return path


def stamp_pairs(tmp_path, first_ms, second_ms, tolerance_ms):
    depth = np.ones((1, 1))
    paths = [
        write_depths(tmp_path / name, '/d', [depth] * len(times), [t * MS for t in times])
        for name, times in (('a', first_ms), ('b', second_ms))
    ]
    with BagReader(paths[0]) as a, BagReader(paths[1]) as b:
        pairs = matched_records(Track(a, '/d'), Track(b, '/d'), tolerance_ms * MS)
        return [(one.stamp_ns // MS, other.stamp_ns // MS) for _, one, other in pairs]


@pytest.mark.parametrize(
    ('first', 'second', 'tolerance', 'expected'),
    [
        ([10, 20, 30], [10, 20, 30], 0, [(10, 10), (20, 20), (30, 30)]),
        ([10, 20, 30], [20], 0, [(20, 20)]),
        ([20], [10, 20, 30], 0, [(20, 20)]),
        ([10, 20, 30], [13, 28, 41], 4, [(10, 13), (30, 28)]),
        ([10, 11], [10], 2, [(10, 10)]),
        ([10], [50], 10, []),
    ],
)
def test_records_are_matched_by_nearest_stamp(tmp_path, first, second, tolerance, expected):
    assert stamp_pairs(tmp_path, first, second, tolerance) == expected


def accuracy(tmp_path, true_depths, predictions, encoding='32FC1'):
    stamps = [100 * MS * index for index in range(1, len(true_depths) + 1)]
    true = write_depths(tmp_path / 'true', '/true', true_depths, stamps, encoding)
    depth = write_depths(tmp_path / 'depth', '/depth', predictions, [s + 9 * MS for s in stamps])
    with BagReader(true) as a, BagReader(depth) as b:
        return measure(Track(a, '/true'), Track(b, '/depth'))


@pytest.mark.parametrize('stamps', [[0] * 6, [0, 100, 200] * 2], ids=['zero', 'restarted'])
def test_a_perfect_prediction_has_no_error_whatever_the_stamps_are(tmp_path, stamps):
    depths, stamps_ns = scenes(6, (12, 16)), [stamp * MS for stamp in stamps]
    bags = []
    for topic, start_ns in (('/true', 0), ('/depth', 10**12)):
        recorded_ns = [start_ns + 100 * MS * index for index in range(6)]
        path = tmp_path / topic.strip('/')
        bags.append(write_depths(path, topic, depths, stamps_ns, recorded_ns=recorded_ns))
    with BagReader(bags[0]) as true, BagReader(bags[1]) as depth:
        result = measure(Track(true, '/true'), Track(depth, '/depth'))
    assert result.frames == 6
    assert result.abs_rel == pytest.approx(0.0, abs=1e-7)


def scenes(count, size):
    rng = np.random.default_rng(3)
    return [rng.uniform(1.0, 9.0, size).astype(np.float32) for _ in range(count)]


def test_larger_prediction_is_resampled_and_perfect_prediction_has_no_error(tmp_path):
    true_depths = scenes(3, (12, 16))
    enlarged = [depth.repeat(3, axis=0).repeat(3, axis=1) for depth in true_depths]
    result = accuracy(tmp_path, true_depths, enlarged)
    assert result.frames == 3
    assert (result.abs_rel, result.delta1) == pytest.approx((0.0, 1.0), abs=1e-7)
    assert (result.scale, result.shift) == (pytest.approx(1), pytest.approx(0, abs=1e-6))


def test_alignment_removes_scale_and_shift_of_inverse_depth(tmp_path):
    true_depths = scenes(3, (12, 16))
    predictions = [1 / (2.0 / depth + 0.3) for depth in true_depths]
    result = accuracy(tmp_path, true_depths, predictions)
    assert result.abs_rel > 0.5
    assert result.delta1 < 0.1
    assert result.aligned_abs_rel == pytest.approx(0, abs=1e-5)
    assert result.aligned_delta1 == 1
    assert (result.scale, result.shift) == (pytest.approx(0.5), pytest.approx(-0.15))


def test_pixels_without_true_depth_are_ignored(tmp_path):
    true_depths = scenes(2, (12, 16))
    predictions = [depth / 2 for depth in true_depths]
    for depth in true_depths:
        depth[:6] = np.inf
    result = accuracy(tmp_path, true_depths, predictions, '16UC1')
    assert result.abs_rel == pytest.approx(0.5, abs=1e-3)


def test_depth_with_another_aspect_ratio_is_rejected(tmp_path):
    with pytest.raises(InputError, match='16 x 12 px and true depth of 16 x 16 px'):
        accuracy(tmp_path, scenes(1, (16, 16)), scenes(1, (12, 16)))


@pytest.fixture
def video(tmp_path):
    """Ten frames of 1600 x 400 px at 20 Hz with increasing brightness."""
    path = tmp_path / 'video.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 20.0, (1600, 400))
    for index in range(10):
        writer.write(np.full((400, 1600, 3), 20 * index, np.uint8))
    writer.release()
    return path


def test_video_is_converted_to_a_recording_with_its_frame_rate(tmp_path, video):
    assert record_video(VideoOptions(video, fov_deg=90.0, frames=6), tmp_path / 'bag') == 6
    with BagReader(tmp_path / 'bag') as bag:
        track = Track(bag, find_image_topic(bag).name)
        assert np.diff(track.stamps_ns).tolist() == [50 * MS] * 5
        images = [read_compressed(bag.message(r)) for r in bag.records(track.topic)]
        assert {each.shape for each in images} == {(320, 1280, 3)}
        levels = [each.mean() for each in images]
        assert levels == pytest.approx([20 * index for index in range(6)], abs=3)
        camera = read_intrinsics(bag.message(next(bag.records('/camera/camera_info'))))
        assert (camera.width, camera.height) == (1280, 320)
        assert camera.fx == pytest.approx(640)


def test_short_video_is_converted_completely(tmp_path, video):
    assert record_video(VideoOptions(video), tmp_path / 'bag') == 10


def test_invalid_video_is_rejected(tmp_path):
    with pytest.raises(InputError, match='no such file'):
        record_video(VideoOptions(tmp_path / 'none.mp4'), tmp_path / 'bag')
    with pytest.raises(ConfigError, match='field of view 180 degrees'):
        VideoOptions(tmp_path / 'none.mp4', fov_deg=180.0)
    assert not (tmp_path / 'bag').exists()


def diagnostics(values):
    status = {'values': [{'key': key, 'value': value} for key, value in values.items()]}
    return build_message(
        'diagnostic_msgs/msg/DiagnosticArray', header=header(stamp_of(0), ''), status=[status]
    )


@pytest.fixture
def recorded(tmp_path):
    """Return the bag of the node's outputs for one frame."""
    return write(
        tmp_path / 'recorded',
        (COLOR_TOPIC, image(0)),
        (TIMING_TOPIC, diagnostics({'inference_ms': '40.0', 'reset_reason': 'first_frame'})),
        (DIAGNOSTICS_TOPIC, diagnostics({'processed': '1', 'model': 'flashdepth-tiny'})),
    )


@pytest.fixture
def summary_of(tmp_path, recorded):
    """Return the demo's summary for a recording of one frame and these options of the node."""
    played = write(tmp_path / 'played', ('/camera/image_raw', image(0)))

    def summary(options):
        recording = Played('a recording', open_source(played), 1.0, options.purpose)
        return write_report(recording, recorded, tmp_path).splitlines()

    return summary


def test_accuracy_is_not_measured_with_true_depth_of_another_camera(tmp_path, recorded):
    depth = depth_message(np.ones((6, 8)), stamp_of(0), frame_id='infrared')
    played = write(tmp_path / 'bag', ('/camera/image_raw', image(0)), ('/infrared/depth', depth))
    summary = write_report(Played('a recording', open_source(played), 1.0), recorded, tmp_path)
    assert 'true depth on /infrared/depth is not of the camera of /camera/image_raw' in summary
    assert "frame_id 'infrared' instead of 'camera'" in summary


def test_summary_states_the_purpose_of_the_shipped_weights(summary_of):
    lines = summary_of(NodeOptions('flashdepth-tiny', '', 'cpu', 0))
    assert [line for line in lines if line.startswith('weights')] == [
        f'weights    {PRESETS["flashdepth-tiny"].purpose}'
    ]
    assert PRESETS['flashdepth-tiny'].purpose


def test_summary_states_no_purpose_for_other_weights(summary_of):
    lines = summary_of(NodeOptions('flashdepth-tiny', 'run.pth', 'cpu', 0))
    assert not [line for line in lines if line.startswith('weights')]
