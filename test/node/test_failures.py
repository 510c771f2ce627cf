"""Failures of any type in threads and callbacks of a running node: it reports them and goes on."""

import os

from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest
from sensor_msgs.msg import Image

from support.faulty_node import HANG, KEY_ERROR, REFUSED_S, SYSTEM_EXIT
from support.node_bench import start_bench, values_of
from support.node_process import golden_weights
from support.paths import ROOT

LONG_S = 30.0


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp('failures')
    weights = golden_weights(folder, 'flashdepth-tiny-s')
    with start_bench(
        folder,
        module='support.faulty_node',
        environment={'PYTHONPATH': os.pathsep.join((str(ROOT), str(ROOT / 'test')))},
        model='flashdepth-tiny-s',
        weights=weights,
    ) as bench:
        bench.depth = bench.subscribe('/depth/image', Image)
        bench.images = bench.create_publisher()
        bench.connect(bench.images, image(bench), bench.depth)
        yield bench


def image(bench, failure=0):
    """Return an image; its first pixel is the failure that it causes."""
    return bench.image(np.full((120, 160, 3), failure, np.uint8))


def level_of(bench):
    return values_of(bench.diagnostics[-1])['level']


def lines_with(bench, text):
    return [line for line in bench.process.lines if text in line]


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


def test_failing_callbacks_are_reported_and_the_next_ones_executed(bench):
    (reason,) = bench.set(**{'reset.max_gap': REFUSED_S})
    assert reason.startswith('ZeroDivisionError: division by zero')
    bench.spin_until(lambda: lines_with(bench, 'callback failed: OSError: no such device'))
    bench.summary()


def test_hanging_thread_is_an_error_and_is_replaced(bench):
    bench.process_all(bench.images, [image(bench), image(bench)])
    bench.images.publish(image(bench, HANG))
    bench.spin_until(lambda: level_of(bench) == DiagnosticStatus.ERROR, LONG_S)
    assert 'the inference thread has' in values_of(bench.diagnostics[-1])['message']
    bench.spin_until(lambda: lines_with(bench, 'a new inference thread'), LONG_S)
    timings = bench.process_all(bench.images, [image(bench), image(bench)])
    assert [each['reset_reason'] for each in timings] == ['first_frame', '']


def test_process_ends_although_a_thread_hangs(bench):
    bench.images.publish(image(bench, HANG))
    bench.spin_for(0.5)
    assert bench.process.stop() == 0
