"""Every message is counted, and no bad message ends the node."""

from dataclasses import replace
import time

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from flashdepth_ros.ros import cdr
from support.node_bench import BEST_EFFORT, find_by_stamp, random_image, stamp_of, start_bench
from support.node_process import golden_weights

COUNTERS = ('processed', 'dropped_transport', 'dropped_stale', 'dropped_bad')
RGB = random_image()
K = [130.0, 0.0, 80.0, 0.0, 130.0, 60.0, 0.0, 0.0, 1.0]
GOOD = cdr.image_of(0, 'camera', 'rgb8', RGB)
NAN = float('nan')

BAD_IMAGES = {
    'only the CDR header': cdr.write_image(GOOD)[:4],
    'truncated in the header': cdr.write_image(GOOD)[:20],
    'truncated in the pixels': cdr.write_image(GOOD)[:-8],
    'not plain CDR': b'\x00\x0a' + cdr.write_image(GOOD)[2:],
    'random bytes': bytes(np.random.default_rng(1).integers(0, 256, 999, np.uint8)),
    'step shorter than a row': replace(GOOD, step=479),
    'step longer than the data': replace(GOOD, step=2**31),
    'zero width': replace(GOOD, width=0),
    'zero height': replace(GOOD, height=0),
    'zero size and no data': replace(GOOD, width=0, height=0, step=0, data=memoryview(b'')),
    'huge size': replace(GOOD, width=2**32 - 1, height=2**32 - 1),
    'unknown encoding': replace(GOOD, encoding='rgb9'),
    'empty encoding': replace(GOOD, encoding=''),
    'depth encoding': replace(GOOD, encoding='32FC1'),
    'data too short': replace(GOOD, data=GOOD.data[:-1]),
    'no data': replace(GOOD, data=memoryview(b'')),
    'odd width in YUV': replace(GOOD, encoding='uyvy', width=159),
    'Bayer mosaic of one pixel': replace(GOOD, encoding='bayer_rggb8', width=1, height=1),
}

BAD_INFOS = {
    'uncalibrated': {'k': [0.0] * 9},
    'NaN intrinsics': {'k': [NAN] * 9},
    'infinite principal point': {'k': [130.0, 0.0, float('inf'), *K[3:]]},
    'negative focal length': {'k': [-130.0, *K[1:]]},
    'zero width': {'width': 0},
    'NaN distortion': {'distortion_model': 'plumb_bob', 'd': [NAN] * 5},
    'unknown distortion model': {'distortion_model': 'wavy', 'd': [0.1] * 5},
    'too many distortion coefficients': {'distortion_model': 'plumb_bob', 'd': [0.1] * 50},
}


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp('bad_input')
    weights = golden_weights(folder, 'flashdepth-tiny-s')
    with start_bench(folder, model='flashdepth-tiny-s', weights=weights) as bench:
        bench.points = bench.subscribe('/points', PointCloud2)
        bench.images = bench.create_publisher()
        bench.camera_info = bench.create_publisher('/camera_info', CameraInfo)
        bench.connect(bench.images, bench.image(RGB), bench.timing)
        yield bench


def counts(bench):
    summary = bench.summary()
    return {name: int(summary[name]) for name in COUNTERS}


def increase(bench, before):
    return {name: count - before[name] for name, count in counts(bench).items()}


def send(bench, bad):
    if isinstance(bad, cdr.ImageView):
        bad = cdr.write_image(replace(bad, stamp_ns=bench.next_stamp()))
    bench.images.publish(bad)


@pytest.mark.parametrize('kind', BAD_IMAGES)
def test_bad_image_is_counted_and_the_next_one_processed(bench, kind):
    before = counts(bench)
    send(bench, BAD_IMAGES[kind])
    expected = str(before['dropped_bad'] + 1)
    bench.wait_for(dropped_bad=expected)
    (timing,) = bench.process_all(bench.images, [bench.image(RGB)])
    assert timing['reset_reason'] == ''
    assert increase(bench, before) == dict(zip(COUNTERS, (1, 0, 0, 1), strict=True))


def test_invalid_stamp_is_counted(bench):
    before = counts(bench)
    image = bench.image(RGB)
    image.header.stamp.nanosec = 10**9
    bench.images.publish(image)
    after = bench.wait_for(dropped_bad=str(before['dropped_bad'] + 1))
    assert 'nanosec 1000000000' in after['last_bad_reason']


def test_warning_gives_the_reason(bench):
    (first, *_) = [line for line in bench.process.warnings if 'image dropped' in line]
    assert 'is truncated' in first


def test_counters_add_up_when_images_arrive_faster_than_inference(bench):
    camera = bench.create_publisher(qos=BEST_EFFORT)
    bench.node.destroy_publisher(bench.images)
    bench.images = camera
    bench.spin_for(1.0)
    bench.process_all(camera, [bench.image(RGB)])
    before = counts(bench)
    bad = list(BAD_IMAGES.values())
    for index in range(200):
        send(bench, bad[index % len(bad)] if index % 10 == 0 else GOOD)
        time.sleep(0.002)
    bench.process_all(camera, [bench.image(RGB)])
    counted = increase(bench, before)
    assert sum(counted.values()) == 201
    assert counted['dropped_stale'] > 0
    assert counted['dropped_bad'] > 0
    assert counted['processed'] > 1


@pytest.mark.parametrize('kind', BAD_INFOS)
def test_bad_camera_info_gives_no_cloud(bench, kind):
    info = CameraInfo(width=160, height=120, k=K)
    info.header.frame_id = 'camera'
    for name, value in BAD_INFOS[kind].items():
        setattr(info, name, value)
    bench.camera_info.publish(info)
    bench.spin_for(0.2)
    assert cloud_of(bench, bench.image(RGB)) is None


def test_bad_camera_info_is_logged_once(bench):
    warnings = [line for line in bench.process.warnings if 'invalid camera_info' in line]
    assert len(warnings) == 1
    assert 'calibrate' in warnings[0]


def test_mismatched_camera_info_is_logged_once_and_a_matching_one_is_used(bench):
    for frame_id in ('other', 'camera', 'other', 'camera'):
        info = CameraInfo(width=640, height=120, k=K)
        info.header.frame_id = frame_id
        bench.camera_info.publish(info)
        bench.spin_for(0.2)
        assert cloud_of(bench, bench.image(RGB)) is None
    (warning,) = [line for line in bench.process.warnings if '640 x 120 px' in line]
    assert 'no point cloud' in warning
    assert 'remap camera_info to the topic that belongs to the image topic' in warning
    bench.camera_info.publish(CameraInfo(header=info.header, width=160, height=120, k=K))
    bench.spin_for(0.2)
    assert cloud_of(bench, bench.image(RGB)) is not None


def cloud_of(bench, image):
    """Return the cloud of an image, None if there is none."""
    bench.process_all(bench.images, [image])
    bench.spin_for(0.1)
    return find_by_stamp(bench.points, image.header.stamp)


def test_compressed_images_and_damaged_ones(bench):
    depth = bench.subscribe('/depth/image', Image)
    bench.reset()
    expected = bench.connect(bench.images, bench.image(RGB), depth)
    bench.reset()
    expected = bench.round_trip(bench.images, bench.image(RGB), depth)
    bench.reconfigure(image_transport='compressed')
    camera = bench.create_publisher('/image/compressed', CompressedImage)
    bench.connect(camera, compressed(bench, '.png'), depth)
    bench.reset()
    assert bench.round_trip(camera, compressed(bench, '.png'), depth).data == expected.data
    before = counts(bench)
    encoded = compressed(bench, '.jpg').data
    for damaged in (encoded[: len(encoded) // 2], encoded[:10], encoded[:0], encoded[::-1]):
        message = compressed(bench, '.jpg')
        message.data = damaged
        camera.publish(message)
        bench.spin_for(0.1)
    (timing,) = bench.process_all(camera, [compressed(bench, '.jpg')])
    assert timing['reset_reason'] == ''
    assert increase(bench, before) == dict(zip(COUNTERS, (1, 0, 0, 4), strict=True))


def compressed(bench, suffix):
    _, encoded = cv2.imencode(suffix, RGB[..., ::-1])
    message = CompressedImage(format='rgb8; compressed bgr8')
    message.header.stamp, message.header.frame_id = stamp_of(bench.next_stamp()), 'camera'
    message.data.frombytes(encoded.tobytes())
    return message
