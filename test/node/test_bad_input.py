"""Every message sent is accounted for, and no message, however bad, ends the node."""

from dataclasses import replace
import time

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from flashdepth_ros.ros import cdr
from support.node_bench import BEST_EFFORT, bench_of, picture, stamp_of, with_stamp
from support.node_process import golden_weights

COUNTERS = ('processed', 'dropped_transport', 'dropped_stale', 'dropped_bad')
RGB = picture()
K = [130.0, 0.0, 80.0, 0.0, 130.0, 60.0, 0.0, 0.0, 1.0]
GOOD = cdr.image_of(0, 'camera', 'rgb8', RGB)
NAN = float('nan')

BAD_IMAGES = {
    'no more than its head': cdr.write_image(GOOD)[:4],
    'cut in the header': cdr.write_image(GOOD)[:20],
    'cut in the pixels': cdr.write_image(GOOD)[:-8],
    'not plain CDR': b'\x00\x0a' + cdr.write_image(GOOD)[2:],
    'noise': bytes(np.random.default_rng(1).integers(0, 256, 999, np.uint8)),
    'a step shorter than a row': replace(GOOD, step=479),
    'a step longer than the data': replace(GOOD, step=2**31),
    'no width': replace(GOOD, width=0),
    'no height': replace(GOOD, height=0),
    'no size and no data': replace(GOOD, width=0, height=0, step=0, data=memoryview(b'')),
    'an enormous size': replace(GOOD, width=2**32 - 1, height=2**32 - 1),
    'an unknown encoding': replace(GOOD, encoding='rgb9'),
    'no encoding': replace(GOOD, encoding=''),
    'depth instead of colour': replace(GOOD, encoding='32FC1'),
    'data too short': replace(GOOD, data=GOOD.data[:-1]),
    'no data': replace(GOOD, data=memoryview(b'')),
    'an odd width of YUV': replace(GOOD, encoding='uyvy', width=159),
    'a mosaic of one pixel': replace(GOOD, encoding='bayer_rggb8', width=1, height=1),
}

BAD_INFOS = {
    'uncalibrated': {'k': [0.0] * 9},
    'NaN intrinsics': {'k': [NAN] * 9},
    'an infinite principal point': {'k': [130.0, 0.0, float('inf'), *K[3:]]},
    'a negative focal length': {'k': [-130.0, *K[1:]]},
    'no size': {'width': 0},
    'NaN distortion': {'distortion_model': 'plumb_bob', 'd': [NAN] * 5},
    'an unknown distortion': {'distortion_model': 'wavy', 'd': [0.1] * 5},
    'too many coefficients': {'distortion_model': 'plumb_bob', 'd': [0.1] * 50},
}


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp('bad_input')
    weights = golden_weights(folder, 'flashdepth-tiny-s')
    with bench_of(folder, model='flashdepth-tiny-s', weights=weights) as bench:
        bench.points = bench.listen('/points', PointCloud2)
        bench.images = bench.camera()
        bench.camera_info = bench.camera('/camera_info', CameraInfo)
        bench.settle(bench.images, bench.image(RGB), bench.timing)
        yield bench


def counted(bench):
    summary = bench.summary()
    return {name: int(summary[name]) for name in COUNTERS}


def rise(bench, before):
    return {name: count - before[name] for name, count in counted(bench).items()}


def send(bench, bad):
    if isinstance(bad, cdr.ImageView):
        bad = cdr.write_image(replace(bad, stamp_ns=bench.next_stamp()))
    bench.images.publish(bad)


@pytest.mark.parametrize('kind', BAD_IMAGES)
def test_a_bad_image_is_counted_and_the_next_one_processed(bench, kind):
    before = counted(bench)
    send(bench, BAD_IMAGES[kind])
    expected = str(before['dropped_bad'] + 1)
    bench.wait_for(dropped_bad=expected)
    (timing,) = bench.process_all(bench.images, [bench.image(RGB)])
    assert timing['reset_reason'] == ''
    assert rise(bench, before) == dict(zip(COUNTERS, (1, 0, 0, 1), strict=True))


def test_a_warning_says_what_was_wrong(bench):
    (first, *_) = [line for line in bench.process.warnings if 'image dropped' in line]
    assert 'was truncated on its way' in first


def test_everything_sent_faster_than_it_can_be_processed_adds_up(bench):
    camera = bench.camera(qos=BEST_EFFORT)
    bench.node.destroy_publisher(bench.images)
    bench.images = camera
    bench.spin_for(1.0)
    bench.process_all(camera, [bench.image(RGB)])
    before = counted(bench)
    bad = list(BAD_IMAGES.values())
    for index in range(200):
        send(bench, bad[index % len(bad)] if index % 10 == 0 else GOOD)
        time.sleep(0.002)
    bench.process_all(camera, [bench.image(RGB)])
    counts = rise(bench, before)
    assert sum(counts.values()) == 201
    assert counts['dropped_stale'] > 0
    assert counts['dropped_bad'] > 0
    assert counts['processed'] > 1


@pytest.mark.parametrize('kind', BAD_INFOS)
def test_a_bad_camera_info_changes_nothing(bench, kind):
    info = CameraInfo(width=160, height=120, k=K)
    info.header.frame_id = 'camera'
    for name, value in BAD_INFOS[kind].items():
        setattr(info, name, value)
    bench.camera_info.publish(info)
    bench.spin_for(0.2)
    assert cloud_of(bench, bench.image(RGB)) is None


def test_bad_camera_infos_are_told_once(bench):
    told = [line for line in bench.process.warnings if 'camera_info cannot be used' in line]
    assert len(told) == 1
    assert 'calibrate' in told[0]


def test_a_camera_info_that_does_not_fit_is_told_once_and_the_right_one_works(bench):
    for frame_id, width in (('other', 160), ('camera', 640), ('other', 160), ('camera', 640)):
        info = CameraInfo(width=width, height=120, k=K)
        info.header.frame_id = frame_id
        bench.camera_info.publish(info)
        bench.spin_for(0.2)
        assert cloud_of(bench, bench.image(RGB)) is None
    told = [line for line in bench.process.warnings if 'no point cloud; give the' in line]
    assert len(told) == 2
    bench.camera_info.publish(CameraInfo(header=info.header, width=160, height=120, k=K))
    bench.spin_for(0.2)
    assert cloud_of(bench, bench.image(RGB)) is not None


def cloud_of(bench, image):
    """Return the cloud of an image, None where there is none."""
    bench.process_all(bench.images, [image])
    bench.spin_for(0.1)
    return with_stamp(bench.points, image.header.stamp)


def test_compressed_images_and_those_that_are_damaged(bench):
    depth = bench.listen('/depth/image', Image)
    bench.reset()
    expected = bench.settle(bench.images, bench.image(RGB), depth)
    bench.reset()
    expected = bench.ask(bench.images, bench.image(RGB), depth)
    bench.reconfigure(image_transport='compressed')
    camera = bench.camera('/image/compressed', CompressedImage)
    bench.settle(camera, compressed(bench, '.png'), depth)
    bench.reset()
    assert bench.ask(camera, compressed(bench, '.png'), depth).data == expected.data
    before = counted(bench)
    octets = compressed(bench, '.jpg').data
    for damaged in (octets[: len(octets) // 2], octets[:10], octets[:0], octets[::-1]):
        message = compressed(bench, '.jpg')
        message.data = damaged
        camera.publish(message)
        bench.spin_for(0.1)
    (timing,) = bench.process_all(camera, [compressed(bench, '.jpg')])
    assert timing['reset_reason'] == ''
    assert rise(bench, before) == dict(zip(COUNTERS, (1, 0, 0, 4), strict=True))


def compressed(bench, suffix):
    _, octets = cv2.imencode(suffix, RGB[..., ::-1])
    message = CompressedImage(format='rgb8; compressed bgr8')
    message.header.stamp, message.header.frame_id = stamp_of(bench.next_stamp()), 'camera'
    message.data.frombytes(octets.tobytes())
    return message
