"""What the demo is made of: joining by stamps, accuracy, and videos as recordings."""

import cv2
import numpy as np
import pytest

from flashdepth_ros.bags import BagReader, BagWriter, build_message, find_image_topic, header
from flashdepth_ros.bags.join import Track, joined
from flashdepth_ros.bags.video import VideoOptions, record_video
from flashdepth_ros.camera.camera_info import read_intrinsics
from flashdepth_ros.errors import ConfigError, InputError
from flashdepth_ros.messages import depth_data, read_compressed
from flashdepth_ros.tools.demo.accuracy import measure

MS = 1_000_000


def write_depths(path, topic, depths, stamps_ns, encoding='32FC1'):
    with BagWriter(path) as bag:
        for depth, stamp_ns in zip(depths, stamps_ns, strict=True):
            data = depth_data(np.asarray(depth, np.float32), encoding)
            image = build_message(
                'sensor_msgs/msg/Image',
                header=header(stamp_ns, 'camera'),
                height=data.shape[0],
                width=data.shape[1],
                encoding=encoding,
                step=data.strides[0],
                data=data.tobytes(),
            )
            bag.write(topic, image, stamp_ns)
    return path


def stamp_pairs(tmp_path, first_ms, second_ms, tolerance_ms):
    depth = np.ones((1, 1))
    paths = [
        write_depths(tmp_path / name, '/d', [depth] * len(times), [t * MS for t in times])
        for name, times in (('a', first_ms), ('b', second_ms))
    ]
    with BagReader(paths[0]) as a, BagReader(paths[1]) as b:
        pairs = joined(Track(a, '/d'), Track(b, '/d'), tolerance_ms * MS)
        return [(one.stamp_ns // MS, other.stamp_ns // MS) for one, other in pairs]


@pytest.mark.parametrize(
    ('first', 'second', 'tolerance', 'expected'),
    [
        ([10, 20, 30], [10, 20, 30], 0, [(10, 10), (20, 20), (30, 30)]),
        ([10, 20, 30], [20], 0, [(20, 20)]),
        ([20], [10, 20, 30], 0, [(20, 20)]),
        ([10, 20, 30], [13, 28, 41], 4, [(10, 13), (30, 28)]),
        ([10, 11], [10], 2, [(10, 10), (11, 10)]),
        ([10], [50], 10, []),
    ],
)
def test_records_are_joined_with_the_nearest_in_time(tmp_path, first, second, tolerance, expected):
    assert stamp_pairs(tmp_path, first, second, tolerance) == expected


def accuracy(tmp_path, truths, predictions, encoding='32FC1'):
    stamps = [100 * MS * index for index in range(1, len(truths) + 1)]
    truth = write_depths(tmp_path / 'truth', '/true', truths, stamps, encoding)
    depth = write_depths(tmp_path / 'depth', '/depth', predictions, [s + 9 * MS for s in stamps])
    with BagReader(truth) as a, BagReader(depth) as b:
        return measure(Track(a, '/true'), Track(b, '/depth'))


def scenes(count, size):
    rng = np.random.default_rng(3)
    return [rng.uniform(1.0, 9.0, size).astype(np.float32) for _ in range(count)]


def test_the_truth_itself_is_perfect_and_larger_pictures_are_sampled(tmp_path):
    truths = scenes(3, (12, 16))
    enlarged = [truth.repeat(3, axis=0).repeat(3, axis=1) for truth in truths]
    found = accuracy(tmp_path, truths, enlarged)
    assert found.frames == 3
    assert (found.abs_rel, found.delta1) == pytest.approx((0.0, 1.0), abs=1e-7)
    assert (found.scale, found.shift) == (pytest.approx(1), pytest.approx(0, abs=1e-6))


def test_alignment_undoes_one_scale_and_shift_of_inverse_depth(tmp_path):
    truths = scenes(3, (12, 16))
    predictions = [1 / (2.0 / truth + 0.3) for truth in truths]
    found = accuracy(tmp_path, truths, predictions)
    assert found.abs_rel > 0.5
    assert found.delta1 < 0.1
    assert found.aligned_abs_rel == pytest.approx(0, abs=1e-5)
    assert found.aligned_delta1 == 1
    assert (found.scale, found.shift) == (pytest.approx(0.5), pytest.approx(-0.15))


def test_half_the_depth_is_half_wrong_and_unknown_truth_does_not_count(tmp_path):
    truths = scenes(2, (12, 16))
    predictions = [truth / 2 for truth in truths]
    for truth in truths:
        truth[:6] = np.inf
    found = accuracy(tmp_path, truths, predictions, '16UC1')
    assert found.abs_rel == pytest.approx(0.5, abs=1e-3)


def test_depth_of_another_shape_is_refused(tmp_path):
    with pytest.raises(InputError, match='16 x 12 px and true depth of 16 x 16 px'):
        accuracy(tmp_path, scenes(1, (16, 16)), scenes(1, (12, 16)))


@pytest.fixture
def video(tmp_path):
    """Ten frames of 1600 x 400 px at 20 Hz, brighter and brighter."""
    path = tmp_path / 'video.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 20.0, (1600, 400))
    for index in range(10):
        writer.write(np.full((400, 1600, 3), 20 * index, np.uint8))
    writer.release()
    return path


def test_a_video_becomes_a_recording_in_its_own_time(tmp_path, video):
    assert record_video(VideoOptions(video, fov_deg=90.0, frames=6), tmp_path / 'bag') == 6
    with BagReader(tmp_path / 'bag') as bag:
        track = Track(bag, find_image_topic(bag).name)
        assert np.diff(track.stamps_ns).tolist() == [50 * MS] * 5
        pictures = [read_compressed(bag.message(r)) for r in bag.records(track.topic)]
        assert {picture.shape for picture in pictures} == {(320, 1280, 3)}
        levels = [picture.mean() for picture in pictures]
        assert levels == pytest.approx([20 * index for index in range(6)], abs=3)
        camera = read_intrinsics(bag.message(next(bag.records('/camera/camera_info'))))
        assert (camera.width, camera.height) == (1280, 320)
        assert camera.fx == pytest.approx(640)


def test_a_short_video_is_taken_whole(tmp_path, video):
    assert record_video(VideoOptions(video), tmp_path / 'bag') == 10


def test_what_is_no_video_is_refused(tmp_path):
    with pytest.raises(InputError, match='no such file'):
        record_video(VideoOptions(tmp_path / 'none.mp4'), tmp_path / 'bag')
    with pytest.raises(ConfigError, match='field of view 180 degrees'):
        VideoOptions(tmp_path / 'none.mp4', fov_deg=180.0)
    assert not (tmp_path / 'bag').exists()
