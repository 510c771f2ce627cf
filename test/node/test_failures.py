"""Failures of any type in threads and callbacks of a running node: it reports them and goes on."""

import os

from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from support.faulty_node import (
    HANG,
    KEY_ERROR,
    LOST_DEVICE,
    NO_MEMORY,
    REFUSED_S,
    SYSTEM_EXIT,
)
from support.node_bench import find_by_stamp, start_bench, values_of
from support.node_process import golden_weights
from support.paths import ROOT

LONG_S = 30.0
K = [130.0, 0.0, 80.0, 0.0, 130.0, 60.0, 0.0, 0.0, 1.0]


def start_faulty_node(folder):
    return start_bench(
        folder,
        module='support.faulty_node',
        environment={'PYTHONPATH': os.pathsep.join((str(ROOT), str(ROOT / 'test')))},
        model='flashdepth-tiny-s',
        weights=golden_weights(folder, 'flashdepth-tiny-s'),
    )


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    with start_faulty_node(tmp_path_factory.mktemp('failures')) as bench:
        bench.depth = bench.subscribe('/depth/image', Image)
        bench.points = bench.subscribe('/points', PointCloud2)
        bench.info = bench.subscribe('/depth/camera_info', CameraInfo)
        bench.camera_info = bench.create_publisher('/camera_info', CameraInfo)
        bench.images = bench.create_publisher()
        bench.connect(bench.images, image(bench), bench.depth)
        yield bench


def image(bench, failure=0):
    """Return an image; its first pixel is the failure that it causes."""
    return bench.image(np.full((120, 160, 3), failure, np.uint8))


def last(bench, key):
    return values_of(bench.diagnostics[-1])[key]


def lines_with(bench, text):
    return [line for line in bench.process.lines if text in line]


@pytest.mark.parametrize(
    ('sec', 'frame_id'),
    [
        (-1, ''),
        (-(2**31), 'ä 漢字 %s {0}'),
        (0, 'two\nlines'),
        (2**31 - 1, '/camera'),
        (5, 'x' * 5000),
    ],
    ids=['before 1970', 'lowest', 'zero', 'highest', 'long'],
)
def test_unusual_header_is_copied_to_the_outputs(bench, sec, frame_id):
    message = image(bench)
    message.header.frame_id, message.header.stamp.sec = frame_id, sec
    info = CameraInfo(header=message.header, width=160, height=120, k=K)
    bench.camera_info.publish(info)
    bench.spin_for(0.05)
    bench.process_all(bench.images, [message])
    for outputs in (bench.depth, bench.points, bench.info):
        bench.spin_until(lambda outputs=outputs: find_by_stamp(outputs, message.header.stamp))
        assert find_by_stamp(outputs, message.header.stamp).header == message.header


@pytest.mark.parametrize(
    ('failure', 'name'), [(KEY_ERROR, "KeyError: 'missing'"), (SYSTEM_EXIT, 'SystemExit: 3')]
)
def test_unexpected_error_drops_the_image_and_resets_the_state(bench, failure, name):
    before = bench.summary()
    bench.images.publish(image(bench, failure))
    after = bench.wait_for(dropped_bad=str(int(before['dropped_bad']) + 1))
    assert after['last_bad_reason'].startswith(f'inference failed: {name}')
    (line,) = lines_with(bench, name)
    assert '[ERROR]' in line
    assert 'FLASHDEPTH_TRACEBACK=1' in line
    (timing,) = bench.process_all(bench.images, [image(bench)])
    assert timing['reset_reason'] == 'non_finite'


@pytest.mark.needs_torch('an exported model has one size')
def test_input_becomes_smaller_until_memory_suffices(bench):
    before = bench.summary()
    for number in range(1, 4):
        bench.images.publish(image(bench, NO_MEMORY))
        bench.wait_for(dropped_bad=str(int(before['dropped_bad']) + number))
    timings = bench.process_all(bench.images, [image(bench, NO_MEMORY) for _ in range(2)])
    assert [each['reset_reason'] for each in timings] == ['non_finite', '']
    bench.wait_for(inference_size='98x70')

    def only_warns():
        bench.process_all(bench.images, [image(bench)])
        return last(bench, 'level') == DiagnosticStatus.WARN

    bench.spin_until(only_warns, LONG_S)
    assert 'out of memory with 70% of the sides' in last(bench, 'message')
    assert [line.split('with ')[1][:3] for line in lines_with(bench, 'out of memory with')] == [
        '100',
        '85%',
        '70%',
    ]


def test_failing_callbacks_are_reported_and_the_next_ones_executed(bench):
    (reason,) = bench.set(**{'reset.max_gap': REFUSED_S})
    assert reason.startswith('ZeroDivisionError: division by zero')
    bench.spin_until(lambda: lines_with(bench, 'callback failed: OSError: no such device'))
    bench.summary()


def test_hanging_thread_is_an_error_and_is_replaced(bench):
    bench.process_all(bench.images, [image(bench), image(bench)])
    bench.images.publish(image(bench, HANG))
    bench.spin_until(lambda: 'the inference thread has' in last(bench, 'message'), LONG_S)
    assert last(bench, 'level') == DiagnosticStatus.ERROR
    bench.spin_until(lambda: lines_with(bench, 'a new inference thread'), LONG_S)
    timings = bench.process_all(bench.images, [image(bench), image(bench)])
    assert [each['reset_reason'] for each in timings] == ['first_frame', '']


def test_process_ends_although_a_thread_hangs(bench):
    bench.images.publish(image(bench, HANG))
    bench.spin_for(0.5)
    assert bench.process.stop() == 0


def test_process_ends_when_its_gpu_cannot_be_used_any_more(tmp_path):
    with start_faulty_node(tmp_path) as bench:
        bench.depth = bench.subscribe('/depth/image', Image)
        bench.images = bench.create_publisher()
        bench.connect(bench.images, image(bench), bench.depth)
        bench.images.publish(image(bench, LOST_DEVICE))
        assert bench.process.wait() == 1
        (line,) = lines_with(bench, '[FATAL]')
    assert 'cannot be used by this process any more' in line
    assert 'CUDA error: an illegal memory access was encountered): it ends' in line
