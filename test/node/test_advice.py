"""The idle node, and its warnings when no images arrive."""

from contextlib import contextmanager
import os
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from flashdepth_ros.ros.environment import PROFILES, TRANSPORTS
from flashdepth_ros.ros.image_topics import camera_info_topics, image_streams
from support.node_bench import BEST_EFFORT, start_bench
from support.node_process import ROOT, NodeProcess, golden_weights
from support.paths import CAMERA_DRIVER

IDLE_S = 3.0
IDLE_SHARE = 0.05


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    return golden_weights(tmp_path_factory.mktemp('weights'), 'flashdepth-tiny-s')


@pytest.fixture(scope='module')
def idle(tmp_path_factory, weights):
    """A node without subscribers, with a remapped image topic."""
    folder = tmp_path_factory.mktemp('idle')
    remap = 'image:=/cam/image_raw'
    with start_bench(folder, remap, model='flashdepth-tiny-s', weights=weights) as bench:
        bench.unsubscribe('/flashdepth/timing')
        yield bench


@contextmanager
def driver(topic, width, height):
    command = [sys.executable, CAMERA_DRIVER, topic, width, height, 30, 1]
    process = subprocess.Popen(list(map(str, command)), cwd=ROOT, env=os.environ)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_without_images_one_warning_names_the_topic_and_other_image_topics(idle):
    other = idle.node.create_publisher(Image, '/other/image_raw', BEST_EFFORT)
    idle.process.wait_for_line('no images on /cam/image_raw for 5 s; it has 0 publisher(s)', 15.0)
    (warning,) = idle.process.warnings
    assert 'image topics: /other/image_raw;' in warning
    assert warning.endswith('--ros-args -r image:=/other/image_raw')
    idle.spin_until(lambda: 'no images for' in idle.summary()['message'])
    idle.node.destroy_publisher(other)


def test_outputs_of_a_depth_node_are_no_cameras(idle):
    driver = idle.node
    observer = Node('observer', context=driver.context)
    other = driver.create_publisher(Image, '/other/image_raw', BEST_EFFORT)
    outputs = ('/depth/image', '/depth/image_color', '/depth/camera_info')
    idle.spin_until(lambda: all(observer.count_publishers(each) for each in outputs))
    idle.spin_until(lambda: [each.topic for each in image_streams(observer)] == [other.topic])
    assert camera_info_topics(observer, other.topic) == []
    driver.destroy_publisher(other)
    observer.destroy_node()


def test_without_subscribers_no_inference_runs_and_the_subscription_is_removed(idle):
    with driver('/cam/image_raw', 640, 480):
        idle.wait_for(message='idle: no output has a subscriber')
        idle.spin_until(lambda: idle.summary()['unwanted'] != '0', 20.0)
        idle.spin_until(lambda: idle.summary()['rate_in_hz'] == '0.00', 20.0)
        start_s, start_cpu_s = time.monotonic(), idle.process.cpu_s()
        time.sleep(IDLE_S)
        share = (idle.process.cpu_s() - start_cpu_s) / (time.monotonic() - start_s)
        assert share < IDLE_SHARE, share
        after = idle.wait_for(message='idle: no output has a subscriber')
        assert (after['processed'], after['resets']) == ('0', '0')
        depth = idle.subscribe('/depth/image', Image)
        idle.spin_until(lambda: len(depth) > 2)
        idle.wait_for(resets='1', last_reset_reason='first_frame')
    idle.process.wait_for_line('no more images on /cam/image_raw for 5 s', 15.0)
    assert len(image_warnings(idle)) == 2


def image_warnings(bench):
    return [line for line in bench.process.warnings if 'camera_info' not in line]


@pytest.mark.needs_torch('an exported model has one shape of images')
def test_in_a_namespace_with_compressed_images_and_default_transports(tmp_path, weights):
    with start_bench(
        tmp_path,
        '__ns:=/robot',
        'image:=cam/image_raw',
        namespace='/robot',
        environment=dict.fromkeys((TRANSPORTS, *PROFILES), ''),
        image_transport='compressed',
        **{'model': 'flashdepth-tiny-s', 'weights': weights},
    ) as bench:
        depth = bench.subscribe('/robot/depth/image', Image)
        camera = bench.create_publisher('/robot/cam/image_raw/compressed', CompressedImage)
        noise = np.random.default_rng(0).integers(0, 256, (300, 320, 3), np.uint8)
        image = CompressedImage(format='png')
        image.data.frombytes(cv2.imencode('.png', noise)[1].tobytes())
        bench.connect(camera, image, depth)
        bench.process.wait_for_line('arrive without a Fast DDS profiles file', 10.0)
        (warning,) = image_warnings(bench)
        assert 'images of 28' in warning
        assert bench.timing[0].status[0].name == '/robot/flashdepth: timing'
        # The node of the fixture `idle` publishes there as well.
        names = {message.status[0].name for message in bench.diagnostics}
        assert '/robot/flashdepth: depth' in names


def test_advice_for_a_compressed_topic_works_when_followed_literally(tmp_path, graph, weights):
    camera, topic = graph.node('camera'), '/cam/color/image_raw/compressed'
    camera.create_publisher(Image, '/cam/depth/image_raw', 1)
    camera.create_publisher(CameraInfo, '/cam/color/camera_info', 1)
    images = camera.create_publisher(CompressedImage, topic, BEST_EFFORT)
    network = {'model': 'flashdepth-tiny-s', 'weights': weights}
    with NodeProcess(tmp_path, f'image:={topic}', image_transport='raw', **network) as process:
        process.wait_for_line('start the node with --ros-args ')
        (warning,) = process.warnings
    assert 'LARGE_DATA' not in warning
    words = warning.partition('start the node with --ros-args ')[2].split()
    flags, rules = words[::2], words[1::2]
    remaps = [rule for flag, rule in zip(flags, rules, strict=True) if flag == '-r']
    parameters = [rule for flag, rule in zip(flags, rules, strict=True) if flag == '-p']
    assert 'camera_info:=/cam/color/camera_info' in remaps
    given = dict(rule.split(':=') for rule in parameters)
    with start_bench(tmp_path, *remaps, **network, **given) as bench:
        depth = bench.subscribe('/depth/image', Image)
        image = CompressedImage(format='png')
        image.header.frame_id = 'camera'
        image.data.frombytes(cv2.imencode('.png', np.zeros((96, 128, 3)))[1].tobytes())
        bench.connect(images, image, depth)
        assert image_warnings(bench) == []
