"""Publishers of images: restarted drivers, two at once, looped bags, QoS."""

from contextlib import contextmanager
from itertools import pairwise
import os
import subprocess
import sys

import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image, PointCloud2

from flashdepth_ros.bags import BagWriter, build_message, header
from support.node_bench import BEST_EFFORT, RELIABLE, SIZE, random_image, start_bench, values_of
from support.node_process import ROOT, golden_weights
from support.paths import CAMERA_DRIVER

HEIGHT, WIDTH = SIZE
BAG_FRAMES = 6


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp('publishers')
    weights = golden_weights(folder, 'flashdepth-tiny-s')
    overrides = {'qos_overrides./points.publisher.reliability': 'best_effort'}
    with start_bench(folder, model='flashdepth-tiny-s', weights=weights, **overrides) as bench:
        yield bench


@pytest.fixture(autouse=True)
def quiet(bench):
    """Let what a driver of the test before has sent arrive first."""
    bench.spin_for(0.5)


@contextmanager
def running(*command):
    process = subprocess.Popen([sys.executable, *map(str, command)], cwd=ROOT, env=os.environ)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def driver(first_s, rate_hz=10):
    return running(CAMERA_DRIVER, '/image', WIDTH, HEIGHT, rate_hz, first_s)


def reset_reasons(bench, count):
    """Wait for the next frames; return the reset reason of each."""
    bench.timing.clear()
    bench.spin_until(lambda: len(bench.timing) >= count, 30.0)
    return [values_of(each)['reset_reason'] for each in bench.timing]


def missing_images(bench, rate_hz=10):
    """Return how many images of a driver lie between those in `~/timing`, by their stamps."""
    stamps = [each.header.stamp for each in bench.timing]
    numbers = [round(rate_hz * (each.sec + 1e-9 * each.nanosec)) for each in stamps]
    assert numbers == sorted(set(numbers))
    return numbers[-1] - numbers[0] + 1 - len(numbers)


def test_killed_and_restarted_driver_starts_one_new_sequence(bench):
    with driver(first_s=1000):
        assert [reason for reason in reset_reasons(bench, 5) if reason] == ['first_frame']
    bench.spin_for(0.5)
    missing = missing_images(bench)
    with driver(first_s=1001):
        assert [reason for reason in reset_reasons(bench, 8) if reason] == ['publisher_restarted']
        bench.wait_for(last_reset_reason='publisher_restarted', resets='2')
    bench.spin_for(0.5)
    missing += missing_images(bench)
    # Sequence numbers of the two drivers are not mixed up: what is counted as dropped are the
    # images whose stamps are missing. A busy computer loses some while it discovers a driver.
    summary = bench.summary()
    dropped = ('dropped_transport', 'dropped_stale', 'dropped_bad')
    assert sum(int(summary[name]) for name in dropped) == missing


def test_looped_bag_starts_a_new_sequence_at_each_repetition(bench, tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        for index in range(BAG_FRAMES):
            stamp_ns = 1002 * 10**9 + index * 200_000_000
            data = random_image(index).tobytes()
            size = {'height': HEIGHT, 'width': WIDTH, 'encoding': 'rgb8', 'step': 3 * WIDTH}
            at = header(stamp_ns, 'camera')
            image = build_message('sensor_msgs/msg/Image', header=at, data=data, **size)
            bag.write('/image', image, stamp_ns)
    options = ('--loop', '--wait', '10', '--best-effort')
    with running('-m', 'flashdepth_ros.cli', 'play', tmp_path / 'bag', *options):
        reasons = reset_reasons(bench, 3 * BAG_FRAMES)
        stamps = [each.header.stamp for each in bench.timing][: len(reasons)]
    assert reasons[0] == 'publisher_restarted'
    assert reasons.count('stamp_back') >= 2
    # A busy computer may leave images out, but each repetition begins where the stamps go back.
    times_s = [each.sec + 1e-9 * each.nanosec for each in stamps]
    expected = ['stamp_back' if second < first else '' for first, second in pairwise(times_s)]
    assert reasons[1:] == expected


def test_replaced_driver_starts_a_new_sequence(bench):
    for _ in range(2):
        camera = bench.create_publisher()
        bench.spin_for(1.0)
        times = bench.process_all(camera, [bench.image(random_image()) for _ in range(3)])
        assert [each['reset_reason'] for each in times] == ['publisher_restarted', '', '']
        bench.node.destroy_publisher(camera)
        bench.spin_for(0.5)


def test_first_of_two_publishers_is_followed_and_the_other_ignored(bench):
    followed, other = bench.create_publisher(), bench.create_publisher()
    bench.spin_for(0.5)
    before = bench.summary()
    for _ in range(6):
        (timing,) = bench.process_all(followed, [bench.image(random_image())])
    for _ in range(3):
        other.publish(bench.image(random_image(1), frame_id='another camera'))
        bench.spin_for(0.05)
        (timing,) = bench.process_all(followed, [bench.image(random_image())])
        assert timing['reset_reason'] == ''
    after = bench.summary()
    assert int(after['processed']) - int(before['processed']) == 9
    assert int(after['foreign']) - int(before['foreign']) == 3
    text = 'publishers: following the first'
    bench.spin_until(lambda: any(text in warning for warning in bench.process.warnings))
    bench.node.destroy_publisher(followed)
    bench.node.destroy_publisher(other)


@pytest.mark.parametrize('camera_qos', [BEST_EFFORT, RELIABLE], ids=['best_effort', 'reliable'])
@pytest.mark.parametrize('viewer_qos', [BEST_EFFORT, RELIABLE], ids=['best_effort', 'reliable'])
def test_every_reliability_is_compatible(bench, camera_qos, viewer_qos):
    depth = bench.subscribe('/depth/image', Image, viewer_qos)
    camera = bench.create_publisher(qos=camera_qos)
    bench.connect(camera, bench.image(random_image()), depth)
    image = bench.image(random_image())
    assert bench.round_trip(camera, image, depth).header == image.header
    bench.unsubscribe('/depth/image')
    bench.node.destroy_publisher(camera)


def test_subscriber_with_incompatible_qos_is_warned_of_once(bench):
    transient_local = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    bench.subscribe('/depth/image', Image, transient_local)
    override = "'qos_overrides./depth/image.publisher.durability' set to 'transient_local'"
    bench.process.wait_for_line(override, 10.0)
    bench.subscribe('/points', PointCloud2, RELIABLE)
    override = "'qos_overrides./points.publisher.reliability' set to 'reliable'"
    bench.process.wait_for_line(override, 10.0)
    assert sum('qos_overrides' in line for line in bench.process.lines) == 2
    bench.unsubscribe('/depth/image')
    bench.unsubscribe('/points')
