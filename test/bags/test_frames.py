"""The frames of a recording: all of them, in order, decoded beside the consumer."""

from itertools import count, islice
import threading
import time

import cv2
import numpy as np
import pytest

from flashdepth_ros.bags import BagReader, Frames
from flashdepth_ros.bags.prefetch import prefetched
from flashdepth_ros.errors import BagError
from support.recordings import LATER_NS, RGB, compressed, image, info, stamp_of, write


def read(path, **options):
    told = []
    with BagReader(path) as bag:
        frames = Frames(bag, warn=told.append, **options)
        return list(frames), frames.skipped, told


@pytest.mark.parametrize('make', [image, compressed])
@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_every_frame_comes_in_order_with_its_header(tmp_path, make, storage):
    messages = [('/cam', make(index)) for index in range(12)]
    frames, skipped, told = read(write(tmp_path / 'bag', *messages, storage=storage))
    assert (skipped, told) == (0, [])
    assert [frame.stamp_ns for frame in frames] == [stamp_of(index) for index in range(12)]
    assert {frame.recorded_ns - frame.stamp_ns for frame in frames} == {LATER_NS}
    assert {(frame.frame_id, frame.camera) for frame in frames} == {('camera', None)}
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.rgb, RGB + np.uint8(index))


def test_broken_frames_are_counted_and_told_and_the_others_come(tmp_path):
    broken = {1: {'step': 7}, 3: {'encoding': 'odd'}, 4: {'data': RGB[:3]}, 6: {'height': 0}}
    messages = [('/cam', image(index, **broken.get(index, {}))) for index in range(8)]
    frames, skipped, told = read(write(tmp_path / 'bag', *messages))
    assert [frame.stamp_ns for frame in frames] == [stamp_of(index) for index in (0, 2, 5, 7)]
    assert skipped == 4
    reasons = ('step is 7', "encoding 'odd'", 'data holds 72 bytes', 'only counted')
    assert len(told) == len(reasons)
    assert all(reason in line for reason, line in zip(reasons, told, strict=True))


def test_a_picture_cut_off_is_one_broken_frame(tmp_path):
    whole = cv2.imencode('.jpg', RGB)[1].tobytes()
    messages = [compressed(0), compressed(1, whole[:-2]), compressed(2, b''), compressed(3)]
    frames, skipped, _ = read(write(tmp_path / 'bag', *(('/cam', each) for each in messages)))
    assert [frame.stamp_ns for frame in frames] == [stamp_of(0), stamp_of(3)]
    assert skipped == 2


def test_the_camera_info_in_force_is_the_last_valid_one(tmp_path):
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
    frames, _, told = read(path)
    focals = [frame.camera and frame.camera.intrinsics.fx for frame in frames]
    assert focals == [5.0, 5.0, 5.0, 6.0, None]
    assert ['not calibrated' in told[0], '9 x 6 px' in told[1]] == [True, True]
    named, _, _ = read(path, camera_info='other/camera_info')
    assert {frame.camera.intrinsics.fx for frame in named} == {1.0}
    with pytest.raises(
        BagError, match=r'/cam/image_raw \(.*\) is not of use; wanted .*CameraInfo'
    ):
        read(path, camera_info='/cam/image_raw')


def test_damage_ends_the_frames_behind_those_before_it(tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (30, 200, 200, 3), np.uint8)
    messages = [('/cam', image(index, rgb)) for index, rgb in enumerate(noise)]
    path = write(tmp_path / 'bag', *messages, compress=True)
    storage = path / 'bag.mcap'
    content = bytearray(storage.read_bytes())
    content[2_000_000:2_200_000] = bytes(200_000)
    storage.write_bytes(content)
    got = []
    with BagReader(path) as bag, pytest.raises(BagError, match='is damaged'):
        got.extend(frame.stamp_ns for frame in Frames(bag))
    assert got == [stamp_of(index) for index in range(len(got))]
    assert 5 < len(got) < 30


def test_prefetching_is_bounded_and_ends_with_its_consumer():
    taken = []
    items = prefetched(iter(taken.append(number) or number for number in count()), ahead=3)
    assert list(islice(items, 5)) == [0, 1, 2, 3, 4]
    time.sleep(0.05)
    assert len(taken) <= 5 + 3
    items.close()
    nested = prefetched(prefetched(iter(range(9)), 2), 2)
    assert next(nested) == 0
    nested.close()
    assert not [each for each in threading.enumerate() if each.name.startswith('prefetch')]
    behind = len(taken)
    time.sleep(0.02)
    assert len(taken) == behind
