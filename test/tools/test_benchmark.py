"""The node's benchmark: its calculations, and short runs with real processes."""

import argparse
from dataclasses import replace
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo

from flashdepth_ros.cli import main
from flashdepth_ros.errors import ConfigError, FlashDepthError
from flashdepth_ros.node.statistics import STAGES
from flashdepth_ros.ros import cdr
from flashdepth_ros.tools.benchmark import command as benchmark
from flashdepth_ros.tools.benchmark.camera import SentFrames, read_stamp, write_stamp
from flashdepth_ros.tools.benchmark.cores import assign_cores, cpu_affinity
from flashdepth_ros.tools.benchmark.results import (
    COUNTS,
    DROPS,
    OVERHEAD,
    Run,
    find_highest_rate,
    frame_counts,
    latency,
    memory_growth,
    summarize,
    throughput,
)

FRAME = {stage: float(index) for index, stage in enumerate(STAGES)}
MS = 1_000_000
RUN = Run(
    sent=6,
    playback_rate=20.0,
    counts=dict.fromkeys(COUNTS, 0) | {'processed': 4, 'dropped_stale': 2},
    depths_ns={0: 10 * MS, 50 * MS: 80 * MS, 100 * MS: 110 * MS, 150 * MS: 180 * MS},
    clouds_ns={0: 12 * MS, 50 * MS: 95 * MS, 100 * MS: 112 * MS, 150 * MS: 182 * MS},
    stages={0: FRAME, 50 * MS: FRAME | {'publish_ms': 100.0}, 100 * MS: FRAME, 150 * MS: FRAME},
    sending_s=0.5,
    sending_cpu_s=0.1,
    cpu_s=0.2,
)


@pytest.mark.parametrize('stamp_ns', [0, 1, 10**9 - 1, 10**9, 1_700_000_000_123_456_789])
def test_write_stamp_changes_only_the_stamp_of_an_image(stamp_ns):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    image = cdr.image_of(7, 'camera', 'rgb8', pixels)
    message = write_stamp(bytearray(cdr.write_image(image)), stamp_ns)
    assert cdr.read_image(message) == replace(image, stamp_ns=stamp_ns)
    assert read_stamp(message) == stamp_ns


def test_write_stamp_changes_only_the_stamp_of_a_message_of_the_middleware():
    info = CameraInfo(width=640, distortion_model='plumb_bob', d=[0.1] * 5)
    info.header.frame_id = 'odd'
    message = deserialize_message(write_stamp(bytearray(serialize_message(info)), 5), CameraInfo)
    assert message.header.stamp.nanosec == 5
    message.header.stamp.nanosec = 0
    assert message == info


def test_stamp_of_a_big_endian_message():
    message = write_stamp(bytearray(b'\x00\x00\x00\x00' + bytes(8)), 3 * 10**9 + 4)
    assert message == b'\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x04'
    assert read_stamp(message) == 3 * 10**9 + 4


def test_rate_of_sent_frames():
    assert SentFrames(frames=11, first_ns=0, last_ns=10**9).rate == pytest.approx(10.0)


def test_summarize_returns_mean_percentiles_and_maximum():
    expected = {'mean': 50.0, 'p50': 50.0, 'p95': 95.0, 'max': 100.0}
    assert summarize(list(range(101))) == pytest.approx(expected)
    assert set(summarize([3.0]).values()) == {3.0}
    with pytest.raises(FlashDepthError, match='no output received'):
        summarize([])


@pytest.mark.parametrize('limit', [10.5, 13.0, 19.9])
def test_highest_rate_is_found_by_bisection(limit):
    rates = []
    found = find_highest_rate(lambda rate: rates.append(rate) or rate <= limit, 10.0, 20.0, 8)
    assert found <= limit < found + 20 / 2**7
    assert len(rates) == 8


def test_highest_rate_at_the_limits_of_the_range():
    assert find_highest_rate(lambda _: True, 10.0, 20.0, 8) == 20.0
    assert find_highest_rate(lambda _: False, 10.0, 20.0, 8) is None


def test_results_of_a_run():
    counts = frame_counts(RUN)
    assert (counts['num_frames_sent'], counts['num_missed_frames']) == (6, 2)
    assert counts['unaccounted'] == 0
    assert counts['node_cpu_percent'] == pytest.approx(20.0)
    assert RUN.drop_share == pytest.approx(1 / 3)
    assert throughput(RUN)['mean_frame_rate'] == pytest.approx(3 / 0.17)
    assert throughput(RUN)['node_cpu_ms_per_frame'] == pytest.approx(50.0)
    results = latency(RUN)
    assert results['latency_ms']['mean'] == pytest.approx(20.0)
    assert results['std_dev_jitter_ms'] == pytest.approx(np.std([70.0, 30.0, 70.0]))
    assert results['stages_ms']['publish_ms']['max'] == 100.0


def test_overhead_is_the_sum_of_all_stages_but_inference():
    assert set(STAGES) - set(OVERHEAD) == {'inference_ms', 'age_ms'}
    expected = sum(FRAME[stage] for stage in OVERHEAD)
    assert latency(RUN)['overhead_ms']['p50'] == expected
    assert latency(RUN)['overhead_ms']['max'] == expected + 100.0 - FRAME['publish_ms']


def test_output_times_start_at_the_end_of_inference():
    frame = dict.fromkeys(STAGES, 1.0) | {'postprocess_ms': 2.0, 'publish_ms': 5.0, 'age_ms': 17.0}
    run = replace(RUN, stages=dict.fromkeys(RUN.depths_ns, frame))
    results = latency(run)
    # Inference ended 10 ms after the stamp.
    assert results['output_ms']['p50'] == pytest.approx(7.0)
    assert results['input_ms']['p50'] == pytest.approx(3.0)
    assert results['depth_arrival_ms']['max'] == pytest.approx(20.0)
    assert results['cloud_arrival_ms']['max'] == pytest.approx(35.0)
    one_cloud = latency(replace(run, clouds_ns={0: 12 * MS}))
    assert one_cloud['cloud_arrival_ms']['max'] == pytest.approx(2.0)


def test_memory_growth_is_relative_to_the_memory_after_warm_up():
    results = memory_growth(200_000_000, 203_000_000, RUN)
    assert results['growth_percent'] == pytest.approx(1.5)
    assert results['processed'] == 4


def test_invalid_options_are_rejected():
    with pytest.raises(ConfigError, match='seconds'):
        benchmark.run(_arguments('--seconds', '0'))
    with pytest.raises(ConfigError, match='soak'):
        benchmark.run(_arguments('--soak', '-1'))
    with pytest.raises(ConfigError, match='size'):
        benchmark.run(_arguments('--size', 'large'))


def test_cores_are_assigned(monkeypatch):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {3, 5, 6})
    assignment = assign_cores(2)
    assert (assignment.measured, assignment.others) == ({3, 5}, {6})
    assert assign_cores(0).measured == assign_cores(0).others == frozenset()
    for count in (-1, 3):
        with pytest.raises(ConfigError, match='expected 1 to 2, or 0'):
            assign_cores(count)


def test_cpu_affinity_applies_to_processes_started_in_the_block():
    before = os.sched_getaffinity(0)
    core = max(before)
    command = [sys.executable, '-c', 'import os; print(*os.sched_getaffinity(0))']
    with cpu_affinity(frozenset({core})):
        assert subprocess.check_output(command, text=True).split() == [str(core)]
    assert os.sched_getaffinity(0) == before
    with cpu_affinity(frozenset()):
        assert os.sched_getaffinity(0) == before


def test_network_can_be_replaced_with_a_stub(tmp_path, capsys):
    path = tmp_path / 'results.json'
    options = ('bench', '--pipeline', '--stub', '--size', '160x120', '--seconds', '2')
    assert main([*options, '--rate', '60', '--soak', '50', '--json', str(path)]) == 0
    report = json.loads(path.read_text())
    assert report['node']['engine'] == 'stub'
    assert not {'estimator', 'idle', 'throughput'} & report.keys()
    for name in ('latency', 'soak'):
        assert report[name]['unaccounted'] == report[name]['dropped_bad'] == 0
    assert report['soak']['num_frames_sent'] > 50
    assert report['soak']['memory_before_mb'] > 100
    assert report['peak_throughput'] >= 60
    assert 'node memory' in capsys.readouterr().out


def test_short_run_is_complete_and_consistent(tmp_path, capsys):
    path = tmp_path / 'results.json'
    options = ('--model', 'flashdepth-tiny-l', '--size', '56x42', '--seconds', '2')
    # An engine that compiles nothing: this takes a tenth of a minute in each run.
    options += ('--device', 'cpu', '--engine', 'torch')
    assert benchmark.run(_arguments(*options, '--json', str(path))) == 0
    report = json.loads(path.read_text())
    for name in ('latency', 'throughput'):
        results = report[name]
        assert results['num_frames_sent'] == sum(results[each] for each in ('processed', *DROPS))
        assert results['unaccounted'] == 0
        assert results['dropped_bad'] == results['foreign'] == 0
    assert report['idle']['processed'] == report['idle']['depth_received'] == 0
    # When idle, the node has unsubscribed from the images and therefore does not count them.
    assert report['idle']['num_frames_sent'] > 0 == report['idle']['unwanted']
    for name in ('latency', 'throughput'):
        for received in ('depth_received', 'clouds_received'):
            assert 0 < report[name][received] < report[name]['num_frames_sent']
    rates = [each['mean_frame_rate'] for each in report['estimator']]
    ratio = report['throughput']['mean_frame_rate'] / np.mean(rates)
    assert report['throughput_ratio'] == pytest.approx(ratio)
    assert {'command', 'versions', 'machine', 'node', 'config'} <= report.keys()
    printed = capsys.readouterr().out
    assert 'Mean Frame Rate' in printed
    assert "times the estimator's own rate" in printed
    assert len(printed.splitlines()) < 30


def _arguments(*words):
    parser = argparse.ArgumentParser()
    benchmark.add_arguments(parser)
    return parser.parse_args(words)
