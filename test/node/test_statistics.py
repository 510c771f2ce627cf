"""Counts add up, percentiles are those of the window, and the level says why."""

from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest

from flashdepth_ros.node.diagnostics import Situation, diagnostics_message, judge
from flashdepth_ros.node.statistics import STAGES, WINDOW_FRAMES, FrameTimes, Statistics

RUNNING = Situation('flashdepth', active=True, enabled=True, wanted=True, model={'device': 'cpu'})


def times(value_ms):
    return FrameTimes(*[value_ms] * len(STAGES))


def test_every_message_sent_is_counted_once():
    statistics = Statistics()
    ends = ['stale', 'bad', 'unwanted', 'processed', 'processed']
    for number in range(100):
        statistics.arrive(lost=number % 3)
        end = ends[number % len(ends)]
        if end == 'processed':
            statistics.process(times(1.0), '')
        else:
            statistics.drop(end)
    now = statistics.snapshot()
    assert (now.processed, now.dropped_stale, now.dropped_bad, now.unwanted) == (40, 20, 20, 20)
    assert now.dropped_transport == sum(number % 3 for number in range(100))


def test_percentiles_are_those_of_the_last_frames():
    statistics = Statistics()
    recorded = np.random.default_rng(2).uniform(0, 50, WINDOW_FRAMES + 40)
    for value in recorded:
        statistics.process(times(float(value)), '')
    expected = np.percentile(recorded[-WINDOW_FRAMES:], [50, 95, 100])
    for stage in STAGES:
        assert statistics.snapshot().percentiles[stage] == pytest.approx(tuple(expected))


def test_resets_are_counted_with_the_last_reason():
    statistics = Statistics()
    for reason in ('first_frame', '', '', 'gap', ''):
        statistics.process(times(1.0), reason)
    now = statistics.snapshot()
    assert (now.resets, now.last_reset_reason) == (2, 'gap')


@pytest.mark.parametrize(
    ('situation', 'level', 'text'),
    [
        (RUNNING, DiagnosticStatus.OK, 'running'),
        (Situation('n', False, True, True, {}), DiagnosticStatus.OK, 'not active'),
        (Situation('n', True, False, True, {}), DiagnosticStatus.OK, 'disabled'),
        (Situation('n', True, True, False, {}), DiagnosticStatus.OK, 'nobody subscribes'),
    ],
)
def test_the_level_follows_the_situation(situation, level, text):
    found, message = judge(situation, Statistics().snapshot(), 1.0)
    assert found == level
    assert text in message


def test_numbers_that_are_not_finite_are_an_error():
    statistics = Statistics()
    statistics.process(times(1.0), 'non_finite')
    assert judge(RUNNING, statistics.snapshot(), 1.0)[0] == DiagnosticStatus.ERROR


def test_the_message_holds_every_figure():
    statistics = Statistics()
    statistics.process(times(2.5), 'first_frame')
    message = diagnostics_message(10**9, RUNNING, statistics.snapshot(), 1.0)
    (status,) = message.status
    values = {pair.key: pair.value for pair in status.values}
    assert (message.header.stamp.sec, status.name) == (1, 'flashdepth: depth')
    assert values['inference_ms_p50'] == '2.500'
    assert values['last_reset_reason'] == 'first_frame'
    assert values['device'] == 'cpu'
    assert {'dropped_transport', 'dropped_stale', 'dropped_bad', 'resets'} <= values.keys()
