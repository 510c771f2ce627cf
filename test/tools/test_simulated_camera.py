"""The simulated camera as a recording and as a live publisher."""

import argparse
from itertools import pairwise
import signal
import subprocess
import sys

import numpy as np
import pytest

from flashdepth_ros.bags import BagReader, find_depth_topic, find_image_topic
from flashdepth_ros.bags.build import jazzy
from flashdepth_ros.bags.camera import Camera, CameraFrame, intrinsics_from_fov
from flashdepth_ros.bags.join import matched_records
from flashdepth_ros.bags.track import Track
from flashdepth_ros.camera.camera_info import read_intrinsics
from flashdepth_ros.errors import ConfigError, SimulationError
from flashdepth_ros.interruption import INTERRUPTED_STATUS
from flashdepth_ros.messages import read_compressed, read_depth, read_rgb
from flashdepth_ros.tools import simulated_recording
from support.paths import ROOT

FRAMES = 4
SMALL = ('--seed', '28', '--kind', 'mixed', '--size', '96x72', '--frames', str(FRAMES))


def simulate(*arguments):
    parser = argparse.ArgumentParser()
    simulated_recording.add_arguments(parser)
    try:
        return simulated_recording.run(parser.parse_args(list(map(str, arguments))))
    except SimulationError as error:
        if 'OpenGL' not in str(error):
            raise
        pytest.skip(f'cannot render here: {error}')


def messages(bag, topic):
    return [bag.message(record) for record in bag.records(topic)]


def test_raw_and_compressed_recordings_have_the_same_images_and_depth(tmp_path):
    assert simulate(tmp_path / 'raw', *SMALL) == 0
    assert simulate(tmp_path / 'jpeg', *SMALL, '--compressed') == 0
    with BagReader(tmp_path / 'raw') as raw, BagReader(tmp_path / 'jpeg') as jpeg:
        images = [Track(bag, find_image_topic(bag).name) for bag in (raw, jpeg)]
        pairs = list(matched_records(*images))
        assert len(pairs) == FRAMES
        for _, first, second in pairs:
            raw_rgb = read_rgb(raw.message(first)).astype(int)
            jpeg_rgb = read_compressed(jpeg.message(second)).astype(int)
            assert raw_rgb.shape == (72, 96, 3)
            assert np.abs(raw_rgb - jpeg_rgb).mean() < 12
        depths = [messages(bag, find_depth_topic(bag).name) for bag in (raw, jpeg)]
        for first, second in zip(*depths, strict=True):
            assert np.array_equal(first.data, second.data)
            depth = read_depth(first)
            assert depth.shape == (36, 48)
            assert 0.1 < np.nanmin(depth) < np.nanmax(depth) < 66
        (info, *_) = messages(raw, '/camera/camera_info')
        camera = read_intrinsics(info)
        assert (camera.width, camera.height) == (96, 72)
        stamps = images[0].stamps_ns
        assert {after - before for before, after in pairwise(stamps)} == {100_000_000}
        for message in messages(raw, '/odom'):
            q = message.pose.pose.orientation
            assert np.linalg.norm([q.x, q.y, q.z, q.w]) == pytest.approx(1)
            assert (message.header.frame_id, message.child_frame_id) == (
                'odom',
                'camera_optical_frame',
            )


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--size', '640'], "size '640'; write it as 640x480"),
        (['--frames', '0'], '0 frames at 10 Hz'),
        (['--rate', '-1'], 'frames at -1 Hz'),
    ],
)
def test_invalid_options_are_rejected(tmp_path, arguments, message):
    with pytest.raises(ConfigError, match=message):
        simulate(tmp_path / 'bag', *arguments)


@pytest.mark.parametrize('angle_deg', [0.0, 30.0, 179.0])
def test_odometry_has_the_pose_of_the_camera(angle_deg):
    half = np.radians(angle_deg) / 2
    pose = np.eye(4)
    pose[:2, :2] = [
        [np.cos(2 * half), -np.sin(2 * half)],
        [np.sin(2 * half), np.cos(2 * half)],
    ]
    pose[:3, 3] = (1, 2, 3)
    camera = Camera(intrinsics_from_fov(8, 6, 90.0))
    frame = CameraFrame(5, np.zeros((6, 8, 3), np.uint8), pose=pose)
    record = list(camera.records(frame))[-1]
    message = jazzy().deserialize_cdr(record.data, record.type)
    p, q = message.pose.pose.position, message.pose.pose.orientation
    assert (p.x, p.y, p.z) == (1, 2, 3)
    assert [q.x, q.y, q.z, q.w] == pytest.approx([0, 0, np.sin(half), np.cos(half)], abs=1e-9)


def test_field_of_view_is_measured_between_the_outer_pixel_edges():
    camera = intrinsics_from_fov(640, 480, 70.0)
    left, right = (edge - camera.cx for edge in (-0.5, 639.5))
    assert np.degrees(np.arctan(right / camera.fx) - np.arctan(left / camera.fx)) == pytest.approx(
        70.0
    )


def test_live_camera_publishes_its_topics_until_ctrl_c(tmp_path, ros_context):
    simulate(tmp_path / 'probe', *SMALL)
    from nav_msgs.msg import Odometry
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node
    from sensor_msgs.msg import CameraInfo, Image

    received = {'/camera/image_raw': [], '/camera/camera_info': [], '/camera/depth_true': []}
    received['/odom'] = []
    types = dict(zip(received, (Image, CameraInfo, Image, Odometry), strict=True))
    node = Node('listener', context=ros_context)
    executor = SingleThreadedExecutor(context=ros_context)
    executor.add_node(node)
    for topic, message_type in types.items():
        node.create_subscription(message_type, topic, received[topic].append, 50)
    command = [sys.executable, '-m', 'flashdepth_ros.cli', 'camera', *SMALL, '--rate', '20']
    camera = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        # More frames than the clip has: it is repeated with increasing stamps.
        for _ in range(600):
            executor.spin_once(timeout_sec=0.05)
            if min(map(len, received.values())) > FRAMES + 2:
                break
        images = received['/camera/image_raw']
        stamps = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in images]
        assert len(stamps) > FRAMES + 2
        assert stamps == sorted(set(stamps))
        assert images[0].encoding == 'rgb8'
        assert received['/camera/depth_true'][0].encoding == '16UC1'
        camera.send_signal(signal.SIGINT)
        assert camera.wait(10) == INTERRUPTED_STATUS
        assert 'Traceback' not in camera.stderr.read()
    finally:
        camera.kill()
        camera.communicate()
        executor.shutdown()
        node.destroy_node()
