"""Compare the outputs of the live node for a played recording with those of `flashdepth infer`."""

import subprocess
import sys

import numpy as np
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from flashdepth_ros.bags import BagReader
from flashdepth_ros.cli import main
from support.node_bench import start_bench
from support.node_process import ROOT, golden_weights
from support.recordings import camera_messages, stamp_of, write

MODEL, FRAMES = 'flashdepth-tiny-s', 8
#: 3 frames/s, slow enough for every computer.
RATE = 0.3


def test_node_and_infer_give_the_same_outputs(tmp_path):
    bag = write(tmp_path / 'bag', *camera_messages(FRAMES))
    weights = golden_weights(tmp_path, MODEL)
    offline = tmp_path / 'offline'
    command = ['infer', str(bag), '-o', str(offline), '--model', MODEL, '--points']
    command += ['--short-side', '112', '--engine', 'torch', '--precision', 'fp32']
    assert main([*command, '--weights', str(weights)]) == 0
    remaps = ('image:=/cam/image_raw', 'camera_info:=/cam/camera_info')
    # With reliable QoS the node receives the first image, even if discovery is slow.
    reliable = {'qos_overrides./cam/image_raw.subscription.reliability': 'reliable'}
    with start_bench(tmp_path, *remaps, model=MODEL, weights=weights, **reliable) as bench:
        kinds = {'/depth/image': Image, '/depth/camera_info': CameraInfo, '/points': PointCloud2}
        received = {topic: bench.subscribe(topic, kind) for topic, kind in kinds.items()}
        play = ['-m', 'flashdepth_ros.cli', 'play', str(bag), '--rate', str(RATE), '--wait', '10']
        with subprocess.Popen([sys.executable, *play], cwd=ROOT) as player:
            bench.spin_until(lambda: player.poll() is not None, 40.0)
            # The topics are reliable and ordered, so the last message of each is the end.
            ends = [stamp_of(FRAMES - 1)]
            bench.spin_until(lambda: all(stamps(live)[-1:] == ends for live in received.values()))
        assert player.returncode == 0
    # Before the first camera_info is received, depth is that of the canonical camera.
    calibrated = stamps(received['/depth/camera_info'])
    for topic, live in received.items():
        compare(topic, live, offline, calibrated)


def stamps(messages):
    return [each.header.stamp.sec * 10**9 + each.header.stamp.nanosec for each in messages]


def compare(topic, live, path, calibrated):
    """Compare the messages of a topic with those in a bag; values only with a known K."""
    with BagReader(path) as bag:
        messages = {bag.header_stamp_ns(each): bag.message(each) for each in bag.records(topic)}
    # A live camera_info may arrive after its image; in a bag the first one is read in advance.
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
        if stamp not in calibrated:
            continue
        values = [np.frombuffer(each.data, np.float32) for each in (message, other)]
        np.testing.assert_allclose(*values, rtol=1e-5, atol=1e-5)
