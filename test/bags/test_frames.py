"""Read the frames of a recording, in order, decoded in a background thread."""

from itertools import count, islice
import threading
import time

import cv2
import numpy as np
import pytest

from flashdepth_ros.bags import BagReader, Frames, estimate_frames
from flashdepth_ros.bags.prefetch import prefetch
from flashdepth_ros.errors import BagError
from flashdepth_ros.runtime import DepthEstimator
from support.golden_models import golden_model
from support.recordings import LATER_NS, RGB, compressed, image, info, pattern, stamp_of, write


def read(path, **options):
    """Return the frames, the number of skipped ones, and the warnings."""
    warnings = []
    with BagReader(path) as bag:
        frames = Frames(bag, warn=warnings.append, **options)
        return list(frames), frames.skipped, warnings


def without_calibration(warnings):
    """Return the other warnings of a recording without camera_info, which is reported once."""
    others = [line for line in warnings if 'no camera_info for /cam: ' not in line]
    assert len(others) == len(warnings) - 1
    return others


@pytest.mark.parametrize('make', [image, compressed])
@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_all_frames_are_read_in_order_with_their_headers(tmp_path, make, storage):
    messages = [('/cam', make(index)) for index in range(12)]
    frames, skipped, warnings = read(write(tmp_path / 'bag', *messages, storage=storage))
    assert (skipped, without_calibration(warnings)) == (0, [])
    assert [frame.stamp_ns for frame in frames] == [stamp_of(index) for index in range(12)]
    assert {frame.recorded_ns - frame.stamp_ns for frame in frames} == {LATER_NS}
    assert {(frame.frame_id, frame.camera) for frame in frames} == {('camera', None)}
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.rgb, RGB + np.uint8(index))


def test_invalid_frames_are_skipped_counted_and_reported(tmp_path):
    invalid = {1: {'step': 7}, 3: {'encoding': 'odd'}, 4: {'data': RGB[:3]}, 6: {'height': 0}}
    messages = [('/cam', image(index, **invalid.get(index, {}))) for index in range(8)]
    frames, skipped, warnings = read(write(tmp_path / 'bag', *messages))
    assert [frame.stamp_ns for frame in frames] == [stamp_of(index) for index in (0, 2, 5, 7)]
    assert skipped == 4
    reasons = ('step is 7', "encoding 'odd'", 'data holds 72 bytes', 'not reported')
    skips = without_calibration(warnings)
    assert len(skips) == len(reasons)
    assert all(reason in line for reason, line in zip(reasons, skips, strict=True))


def test_truncated_compressed_images_are_skipped(tmp_path):
    jpeg = cv2.imencode('.jpg', RGB)[1].tobytes()
    messages = [compressed(0), compressed(1, jpeg[:-2]), compressed(2, b''), compressed(3)]
    frames, skipped, _ = read(write(tmp_path / 'bag', *(('/cam', each) for each in messages)))
    assert [frame.stamp_ns for frame in frames] == [stamp_of(0), stamp_of(3)]
    assert skipped == 2


@pytest.mark.parametrize('bits', [0, 12])
def test_twelve_of_sixteen_bits_are_used_in_every_pass(tmp_path, bits):
    rgb = np.arange(48 * 3, dtype=np.uint8).reshape(6, 8, 3) + np.uint8(110)
    wide = np.frombuffer((rgb.astype('<u2') * 16).tobytes(), np.uint8)
    images = (
        image(index, encoding='rgb16', step=48, data=data)
        for index, data in enumerate((0 * wide, wide, 0 * wide))
    )
    path = write(tmp_path / 'bag', *(('/cam', each) for each in images))
    warnings = []
    with BagReader(path) as bag:
        frames = Frames(bag, warn=warnings.append, bits=bits)
        for _ in range(2):
            passed = [frame.rgb for frame in frames]
            np.testing.assert_array_equal(passed, [0 * rgb, rgb, 0 * rgb])
    assert [line.split(':')[0] for line in without_calibration(warnings)] == (
        [] if bits else ['16-bit images use 8 bits', '16-bit images use 12 bits']
    )


def test_frames_use_the_last_valid_camera_info(tmp_path):
    messages = [
        ('/cam/image_raw', image(0)),
        ('/other/camera_info', info(0, focal=1.0)),
        ('/cam/camera_info', info(0, focal=5.0)),
        ('/cam/image_raw', image(1)),
        ('/cam/camera_info', info(1, focal=0.0)),
        ('/cam/image_raw', image(2)),
        ('/cam/camera_info', info(2, focal=6.0)),
        ('/cam/image_raw', image(3)),
        ('/cam/camera_info', info(3, focal=6.0, width=9)),
        ('/cam/image_raw', image(4)),
    ]
    path = write(tmp_path / 'bag', *messages)
    frames, _, warnings = read(path)
    focals = [frame.camera and frame.camera.intrinsics.fx for frame in frames]
    assert focals == [5.0, 5.0, 5.0, 6.0, None]
    assert ['not calibrated' in warnings[0], '9 x 6 px' in warnings[1]] == [True, True]
    named, _, _ = read(path, camera_info='other/camera_info')
    assert {frame.camera.intrinsics.fx for frame in named} == {1.0}
    with pytest.raises(
        BagError, match=r'/cam/image_raw \(.*\) cannot be used; expected .*CameraInfo'
    ):
        read(path, camera_info='/cam/image_raw')


def test_camera_info_with_the_frame_id_of_the_image_is_preferred_to_a_closer_name(tmp_path):
    messages = [
        ('/cam/image_raw', image(0)),
        ('/cam/camera_info', info(0, focal=3.0, frame_id='other')),
        ('/calibration/camera_info', info(0, focal=4.0, frame_id='/camera')),
    ]
    frames, _, warnings = read(write(tmp_path / 'both', *messages))
    assert (frames[0].camera.intrinsics.fx, warnings) == (4.0, [])
    frames, _, warnings = read(write(tmp_path / 'one', *messages[:2]))
    assert frames[0].camera.intrinsics.fx == 3.0
    (warning,) = warnings
    assert "frame_id 'other', the image has 'camera': it is used" in warning


def test_one_line_gives_the_error_of_metres_without_camera_info(tmp_path):
    path = write(tmp_path / 'bag', *(('/cam', image(index)) for index in range(3)))
    network = golden_model('flashdepth-tiny-s').state_dict()
    estimator = DepthEstimator('flashdepth-tiny-s', network, engine='torch', short_side=28)
    warnings = []
    with BagReader(path) as bag:
        frames = Frames(bag, warn=warnings.append)
        for _ in range(2):
            assert len(list(estimate_frames(frames, estimator))) == 3
    (line,) = warnings
    assert 'no camera_info for /cam: no point cloud, and the metres of flashdepth-tiny-s' in line
    assert 'wrong by the ratio of the focal lengths' in line


def test_frames_around_damage_are_read(tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (30, 200, 200, 3), np.uint8)
    messages = [('/cam', image(index, rgb)) for index, rgb in enumerate(noise)]
    path = write(tmp_path / 'bag', *messages, compress=True)
    storage = path / 'bag.mcap'
    content = bytearray(storage.read_bytes())
    content[2_000_000:2_200_000] = bytes(200_000)
    storage.write_bytes(content)
    stamps = []
    with BagReader(path) as bag, pytest.raises(BagError, match='is damaged'):
        stamps.extend(frame.stamp_ns for frame in Frames(bag))
    assert stamps == sorted(set(stamps))
    assert {stamps[0], stamps[-1]} == {stamp_of(0), stamp_of(29)}
    assert 5 < len(stamps) < 30


def test_prefetch_is_bounded_and_ends_with_its_consumer():
    read_items = []
    items = prefetch(iter(read_items.append(number) or number for number in count()), ahead=3)
    assert list(islice(items, 5)) == [0, 1, 2, 3, 4]
    time.sleep(0.05)
    assert len(read_items) <= 5 + 3
    items.close()
    nested = prefetch(prefetch(iter(range(9)), 2), 2)
    assert next(nested) == 0
    nested.close()
    assert not [each for each in threading.enumerate() if each.name.startswith('prefetch')]
    number_read = len(read_items)
    time.sleep(0.02)
    assert len(read_items) == number_read


@pytest.mark.parametrize(
    ('topic', 'setting', 'uses_p'),
    [
        ('/cam/image_rect', 'auto', True),
        ('/cam/image_rect', 'false', False),
        ('/cam/image_raw', 'auto', False),
        ('/cam/image_raw', 'true', True),
    ],
)
def test_rectified_images_use_p_without_distortion(tmp_path, topic, setting, uses_p):
    camera = info(0, focal=60.0, size=(70, 84))
    camera.p = np.array([50.0, 0, 40, 0, 0, 50, 30, 0, 0, 0, 1, 0])
    camera.distortion_model, camera.d = 'plumb_bob', np.array([0.1, 0, 0, 0, 0])
    bag = write(
        tmp_path / 'bag', (topic, image(0, pattern(0, (70, 84)))), ('/cam/camera_info', camera)
    )
    warnings = []
    with BagReader(bag) as reader:
        (frame,) = Frames(reader, warn=warnings.append, rectified=setting)
    assert frame.camera.pinhole.fx == (50.0 if uses_p else 60.0)
    assert any(frame.camera.lens.coefficients) != uses_p
    assert bool(warnings) == (setting == 'auto' and uses_p)
