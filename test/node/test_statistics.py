"""Counters, percentiles over the last frames, and the level and message of /diagnostics."""

from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest

from flashdepth_ros.node.diagnostics import NodeStatus, diagnostics_message, health
from flashdepth_ros.node.statistics import STAGES, WINDOW_FRAMES, FrameTimes, Statistics

RUNNING = NodeStatus('flashdepth', True, True, True, model={'device': 'cpu'})


def times(value_ms):
    return FrameTimes(*[value_ms] * len(STAGES))


def test_every_message_is_counted_once():
    statistics = Statistics()
    ends = ['replaced', 'bad', 'unwanted', 'processed', 'processed']
    for number in range(100):
        statistics.count_arrival(lost=number % 3)
        end = ends[number % len(ends)]
        if end == 'processed':
            statistics.count_processed(times(1.0), '')
        else:
            statistics.count_drop(end)
    now = statistics.snapshot()
    assert (now.processed, now.dropped_stale, now.dropped_bad, now.unwanted) == (40, 20, 20, 20)
    assert now.dropped_transport == sum(number % 3 for number in range(100))


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


def test_non_finite_output_is_an_error():
    statistics = Statistics()
    statistics.count_processed(times(1.0), 'non_finite')
    assert health(RUNNING, statistics.snapshot(), 1.0)[0] == DiagnosticStatus.ERROR


def test_message_contains_all_values():
    statistics = Statistics()
    statistics.count_processed(times(2.5), 'first_frame')
    message = diagnostics_message(10**9, RUNNING, statistics.snapshot(), 1.0)
    (status,) = message.status
    values = {pair.key: pair.value for pair in status.values}
    assert (message.header.stamp.sec, status.name) == (1, 'flashdepth: depth')
    assert values['inference_ms_p50'] == '2.500'
    assert values['last_reset_reason'] == 'first_frame'
    assert values['device'] == 'cpu'
    assert {'dropped_transport', 'dropped_stale', 'dropped_bad', 'resets'} <= values.keys()
