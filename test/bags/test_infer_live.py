"""One estimator, two doors: a recording played to the live node, and the same through `infer`."""

import subprocess
import sys

import numpy as np
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from flashdepth_ros.bags import BagReader
from flashdepth_ros.cli import main
from support.node_bench import bench_of
from support.node_process import ROOT, golden_weights
from support.recordings import camera_messages, stamp_of, write

MODEL, FRAMES = 'flashdepth-tiny-s', 8
#: Three steps of the recording a second: the node keeps up with that on any machine.
RATE = 0.3


def test_the_node_and_infer_agree(tmp_path):
    bag = write(tmp_path / 'bag', *camera_messages(FRAMES))
    weights = golden_weights(tmp_path, MODEL)
    offline = tmp_path / 'offline'
    command = ['infer', str(bag), '-o', str(offline), '--model', MODEL, '--points']
    command += ['--short-side', '112', '--engine', 'torch', '--precision', 'fp32']
    assert main([*command, '--weights', str(weights)]) == 0
    remaps = ('image:=/cam/image_raw', 'camera_info:=/cam/camera_info')
    # Heard from the first image on, however long discovery takes to tell the node of the player.
    reliable = {'qos_overrides./cam/image_raw.subscription.reliability': 'reliable'}
    with bench_of(tmp_path, *remaps, model=MODEL, weights=weights, **reliable) as bench:
        kinds = {'/depth/image': Image, '/depth/camera_info': CameraInfo, '/points': PointCloud2}
        heard = {topic: bench.listen(topic, kind) for topic, kind in kinds.items()}
        play = ['-m', 'flashdepth_ros.cli', 'play', str(bag), '--rate', str(RATE), '--wait', '10']
        with subprocess.Popen([sys.executable, *play], cwd=ROOT) as player:
            bench.spin_until(lambda: player.poll() is not None, 40.0)
            # In order and reliable: with the last of each topic, all have come.
            ends = [stamp_of(FRAMES - 1)]
            bench.spin_until(lambda: all(stamps(live)[-1:] == ends for live in heard.values()))
        assert player.returncode == 0
    # Before its camera_info is heard, an image's depth is that of the canonical camera.
    known = stamps(heard['/depth/camera_info'])
    for topic, live in heard.items():
        compare(topic, live, offline, known)


def stamps(messages):
    return [each.header.stamp.sec * 10**9 + each.header.stamp.nanosec for each in messages]


def compare(topic, live, path, known):
    """Compare the messages of a topic with those in a bag, their numbers once K is known."""
    with BagReader(path) as bag:
        messages = {bag.header_stamp_ns(each): bag.message(each) for each in bag.records(topic)}
    # The camera_info of a live image may come behind it; a recording knows its first one before.
    expected = [stamp_of(index) for index in range(FRAMES)]
    assert list(messages) == expected
    received = stamps(live)
    assert received == (expected if topic == '/depth/image' else expected[-len(received) :])
    assert len(received) >= FRAMES - 1
    for stamp, message in zip(received, live, strict=True):
        other = messages[stamp]
        assert message.header.frame_id == other.header.frame_id
        if topic == '/depth/camera_info':
            np.testing.assert_allclose(message.k, other.k)
            np.testing.assert_allclose(message.p, other.p)
            continue
        assert (message.height, message.width) == (other.height, other.width)
        if stamp not in known:
            continue
        numbers = [np.frombuffer(each.data, np.float32) for each in (message, other)]
        np.testing.assert_allclose(*numbers, rtol=1e-5, atol=1e-5)
