"""Counters, percentiles over the last frames, and the level and message of /diagnostics."""

from dataclasses import replace
import time

from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest

from flashdepth_ros.node.diagnostics import NodeStatus, diagnostics_message, health
from flashdepth_ros.node.statistics import STAGES, WINDOW_FRAMES, FrameTimes, Statistics

RUNNING = NodeStatus('/left/flashdepth', True, True, True, model={'device': 'cpu'})


def times(value_ms):
    return FrameTimes(*[value_ms] * len(STAGES))


def test_every_message_is_counted_once():
    statistics = Statistics()
    ends = ['replaced', 'bad', 'unwanted', 'processed', 'old', 'back']
    for number in range(120):
        statistics.count_arrival(lost=number % 3)
        count_end(statistics, ends[number % len(ends)])
    now = statistics.snapshot()
    assert (now.processed, now.dropped_stale, now.dropped_bad, now.unwanted) == (20, 60, 20, 20)
    assert now.dropped_transport == sum(number % 3 for number in range(120))


def count_end(statistics, end):
    """Count an image by what happened to it."""
    if end == 'processed':
        statistics.count_processed(times(7.0), '')
    else:
        statistics.count_drop(end, f'the reason of {end}')


def test_percentiles_cover_the_last_frames():
    statistics = Statistics()
    recorded = np.random.default_rng(2).uniform(0, 50, WINDOW_FRAMES + 40)
    for value in recorded:
        statistics.count_processed(times(float(value)), '')
    expected = np.percentile(recorded[-WINDOW_FRAMES:], [50, 95, 100])
    for stage in STAGES:
        assert statistics.snapshot().percentiles[stage] == pytest.approx(tuple(expected))


def test_resets_are_counted_with_the_last_reason():
    statistics = Statistics()
    for reason in ('first_frame', '', '', 'gap', ''):
        statistics.count_processed(times(1.0), reason)
    now = statistics.snapshot()
    assert (now.resets, now.last_reset_reason) == (2, 'gap')


@pytest.mark.parametrize(
    ('status', 'level', 'text'),
    [
        (RUNNING, DiagnosticStatus.OK, 'running'),
        (NodeStatus('n', False, True, True, {}), DiagnosticStatus.OK, 'not active'),
        (NodeStatus('n', True, False, True, {}), DiagnosticStatus.OK, 'disabled'),
        (NodeStatus('n', True, True, False, {}), DiagnosticStatus.OK, 'no output has'),
    ],
)
def test_level_and_message_follow_the_status(status, level, text):
    found, message = health(status, Statistics().snapshot(), 1.0)
    assert found == level
    assert text in message


@pytest.fixture
def stream(monkeypatch):
    """A function that counts images, ten a second by default, and returns level and message."""

    def count(ends, period_s=0.1, lost=0, status=RUNNING):
        statistics, now_s = Statistics(), 1000.0
        for end in ends:
            monkeypatch.setattr(time, 'monotonic', lambda now_s=now_s: now_s)
            statistics.count_arrival(lost)
            count_end(statistics, end)
            now_s += period_s
        return health(status, statistics.snapshot(), 1.0)

    return count


@pytest.mark.parametrize(
    ('ends', 'text'),
    [
        (['replaced', 'replaced', 'processed'], 'cannot keep up: 3.3 of 10.0 images/s; '),
        (['bad'], 'cannot be used: 50 in 5 s, the last one: the reason of bad (0.0 of 10.0'),
        (['bad', 'replaced', 'bad', 'processed'], 'because they cannot be used'),
        (
            ['old'],
            'older than max_frame_age: 50 in 5 s, the last one: the reason',
        ),
        (['back', 'processed'], 'within reset.backward_tolerance'),
    ],
    ids=['load', 'bad', 'mostly bad', 'old', 'back'],
)
def test_message_names_the_cause_of_too_few_outputs(stream, ends, text):
    level, message = stream(ends * 51)
    assert level == DiagnosticStatus.WARN
    assert text in message


def test_a_node_that_always_fails_is_an_error(stream):
    level, message = stream(['failed'] * 60)
    assert level == DiagnosticStatus.ERROR
    assert 'because of errors' in message
    assert 'the reason of failed' in message


def test_a_single_bad_image_is_no_warning(stream):
    assert stream(['processed'] * 30 + ['bad'] + ['processed'] * 30)[0] == DiagnosticStatus.OK


def test_rare_images_that_are_all_bad_are_a_warning(stream):
    level, message = stream(['bad'] * 3, period_s=4.0)
    assert level == DiagnosticStatus.WARN
    assert 'the reason of bad' in message


def test_images_of_another_publisher_are_a_warning(stream):
    level, message = stream(['processed', 'foreign'] * 30)
    assert level == DiagnosticStatus.WARN
    assert 'another publisher ignored' in message


@pytest.mark.parametrize(('lost', 'level'), [(0, DiagnosticStatus.OK), (1, DiagnosticStatus.WARN)])
def test_many_images_lost_in_transport_are_a_warning(stream, lost, level):
    found, message = stream(['processed'] * 60, lost=lost)
    assert found == level
    assert ('lost in transport' in message) == bool(lost)


def test_what_else_the_user_has_to_know_is_a_warning(stream):
    status = replace(RUNNING, warnings=('first', 'second'))
    level, message = stream(['processed'] * 60, status=status)
    assert level == DiagnosticStatus.WARN
    assert message.startswith('running')
    assert message.endswith('; first; second')


def test_a_fault_of_a_thread_is_an_error(stream):
    status = replace(RUNNING, fault='the inference thread has ended')
    assert stream(['bad'] * 60, status=status) == (DiagnosticStatus.ERROR, status.fault)


def test_non_finite_output_is_an_error():
    statistics = Statistics()
    statistics.count_processed(times(1.0), 'non_finite')
    assert health(RUNNING, statistics.snapshot(), 1.0)[0] == DiagnosticStatus.ERROR


def test_message_contains_all_values():
    statistics = Statistics()
    statistics.count_processed(times(2.5), 'first_frame')
    message = diagnostics_message(10**9, [(RUNNING, statistics.snapshot())], 1.0)
    (status,) = message.status
    values = {pair.key: pair.value for pair in status.values}
    assert (message.header.stamp.sec, status.name) == (1, '/left/flashdepth: depth')
    assert values['inference_ms_p50'] == '2.500'
    assert values['last_reset_reason'] == 'first_frame'
    assert values['device'] == 'cpu'
    assert {'dropped_transport', 'dropped_stale', 'dropped_bad', 'resets'} <= values.keys()
