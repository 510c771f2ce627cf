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
        statistics.count_processed(times(7.0), '', 0.0)
    else:
        statistics.count_drop(end, f'the reason of {end}')


def test_percentiles_cover_the_last_frames():
    statistics = Statistics()
    recorded = np.random.default_rng(2).uniform(0, 50, WINDOW_FRAMES + 40)
    for value in recorded:
        statistics.count_processed(times(float(value)), '', 0.0)
    expected = np.percentile(recorded[-WINDOW_FRAMES:], [50, 95, 100])
    for stage in STAGES:
        assert statistics.snapshot().percentiles[stage] == pytest.approx(tuple(expected))


def test_resets_are_counted_with_the_last_reason():
    statistics = Statistics()
    for reason in ('first_frame', '', '', 'gap', ''):
        statistics.count_processed(times(1.0), reason, 0.0)
    now = statistics.snapshot()
    assert (now.resets, now.last_reset_reason) == (2, 'gap')


@pytest.mark.parametrize('seed', range(8))
@pytest.mark.parametrize('latency_s', [0.01, 0.3, 1.5])
def test_no_more_images_are_published_than_received(monkeypatch, seed, latency_s):
    """Bursts, pauses, and one image at a time: the rates are of the same images at any moment."""
    random = np.random.default_rng(seed)
    statistics, now_s, busy_until_s, waiting = Statistics(), 1000.0, 0.0, []
    monkeypatch.setattr(time, 'monotonic', lambda: now_s)
    for gap_s in random.choice([0.02, 0.1, 0.8, 3.0], 200, p=[0.6, 0.2, 0.15, 0.05]):
        arrival_s = now_s + gap_s
        while waiting and busy_until_s <= arrival_s:
            now_s = max(now_s, busy_until_s)
            statistics.count_processed(times(1.0), '', now_s - waiting.pop(0))
            busy_until_s = now_s + latency_s
            check_rates(statistics)
        now_s = arrival_s
        statistics.count_arrival(0)
        if len(waiting) == 2:
            waiting.pop(1)
            statistics.count_drop('replaced')
        if not waiting:
            busy_until_s = max(busy_until_s, now_s + latency_s)
        waiting.append(now_s)
        check_rates(statistics)


def check_rates(statistics):
    now = statistics.snapshot()
    assert 0.0 <= now.rate_out_hz <= now.rate_in_hz


@pytest.mark.parametrize('period_s', [0.1, 1.0, 2.0])
def test_a_node_that_publishes_every_image_is_never_too_slow(monkeypatch, period_s):
    """Also while the last images are in progress, and from the first one on."""
    statistics, waiting = Statistics(), []
    for step in range(int(12 / period_s)):
        for share, end in ((0.0, False), (0.9, True)):
            now_s = 1000.0 + (step + share) * period_s
            monkeypatch.setattr(time, 'monotonic', lambda now_s=now_s: now_s)
            if end:
                statistics.count_processed(times(1.0), '', now_s - waiting.pop())
            else:
                statistics.count_arrival(0)
                waiting.append(now_s)
            now = statistics.snapshot()
            assert now.rate_out_hz == pytest.approx(now.rate_in_hz)
            assert health(RUNNING, now, 1.0)[0] == DiagnosticStatus.OK
    assert now.rate_in_hz == pytest.approx(1 / period_s)


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


def test_images_that_were_not_needed_are_no_loss(stream):
    level, message = stream(['unwanted'] * 40 + ['processed'] * 3)
    assert (level, message) == (DiagnosticStatus.OK, 'running: 10.0 of 10.0 images/s')


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
    statistics.count_processed(times(1.0), 'non_finite', 0.0)
    assert health(RUNNING, statistics.snapshot(), 1.0)[0] == DiagnosticStatus.ERROR


def test_message_contains_all_values():
    statistics = Statistics()
    statistics.count_processed(times(2.5), 'first_frame', 0.0)
    message = diagnostics_message(10**9, [(RUNNING, statistics.snapshot())], 1.0)
    (status,) = message.status
    values = {pair.key: pair.value for pair in status.values}
    assert (message.header.stamp.sec, status.name) == (1, '/left/flashdepth: depth')
    assert values['inference_ms_p50'] == '2.500'
    assert values['last_reset_reason'] == 'first_frame'
    assert values['device'] == 'cpu'
    assert {'dropped_transport', 'dropped_stale', 'dropped_bad', 'resets'} <= values.keys()
