"""The node's benchmark: its arithmetic, and one short run of real processes."""

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
from flashdepth_ros.tools.benchmark.camera import Sent, stamp_of, stamped
from flashdepth_ros.tools.benchmark.cores import confined, share
from flashdepth_ros.tools.benchmark.figures import (
    COUNTS,
    DROPS,
    OVERHEAD,
    Episode,
    account,
    highest_rate,
    latency,
    soak,
    spread,
    throughput,
)

FRAME = {stage: float(index) for index, stage in enumerate(STAGES)}
MS = 1_000_000
EPISODE = Episode(
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
def test_the_stamp_alone_is_written_into_an_image(stamp_ns):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    image = cdr.image_of(7, 'camera', 'rgb8', pixels)
    message = stamped(bytearray(cdr.write_image(image)), stamp_ns)
    assert cdr.read_image(message) == replace(image, stamp_ns=stamp_ns)
    assert stamp_of(message) == stamp_ns


def test_the_stamp_alone_is_written_into_what_the_middleware_serialised():
    info = CameraInfo(width=640, distortion_model='plumb_bob', d=[0.1] * 5)
    info.header.frame_id = 'odd'
    message = deserialize_message(stamped(bytearray(serialize_message(info)), 5), CameraInfo)
    assert message.header.stamp.nanosec == 5
    message.header.stamp.nanosec = 0
    assert message == info


def test_the_stamp_of_big_endian_bytes():
    message = stamped(bytearray(b'\x00\x00\x00\x00' + bytes(8)), 3 * 10**9 + 4)
    assert message == b'\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x04'
    assert stamp_of(message) == 3 * 10**9 + 4


def test_the_rate_of_what_was_sent():
    assert Sent(frames=11, first_ns=0, last_ns=10**9).rate == pytest.approx(10.0)


def test_spread_is_that_of_its_values():
    expected = {'mean': 50.0, 'p50': 50.0, 'p95': 95.0, 'max': 100.0}
    assert spread(list(range(101))) == pytest.approx(expected)
    assert set(spread([3.0]).values()) == {3.0}
    with pytest.raises(FlashDepthError, match='nothing came back'):
        spread([])


@pytest.mark.parametrize('limit', [10.5, 13.0, 19.9])
def test_the_highest_rate_is_found_from_below(limit):
    tried = []
    found = highest_rate(lambda rate: tried.append(rate) or rate <= limit, 10.0, 20.0, 8)
    assert found <= limit < found + 20 / 2**7
    assert len(tried) == 8


def test_the_highest_rate_at_the_ends_of_the_range():
    assert highest_rate(lambda _: True, 10.0, 20.0, 8) == 20.0
    assert highest_rate(lambda _: False, 10.0, 20.0, 8) is None


def test_figures_of_an_episode():
    known = account(EPISODE)
    assert (known['num_frames_sent'], known['num_missed_frames']) == (6, 2)
    assert known['unaccounted'] == 0
    assert known['node_cpu_percent'] == pytest.approx(20.0)
    assert EPISODE.drop_share == pytest.approx(1 / 3)
    assert throughput(EPISODE)['mean_frame_rate'] == pytest.approx(3 / 0.17)
    assert throughput(EPISODE)['node_cpu_ms_per_frame'] == pytest.approx(50.0)
    figures = latency(EPISODE)
    assert figures['latency_ms']['mean'] == pytest.approx(20.0)
    assert figures['std_dev_jitter_ms'] == pytest.approx(np.std([70.0, 30.0, 70.0]))
    assert figures['stages_ms']['publish_ms']['max'] == 100.0


def test_the_overhead_is_every_stage_but_inference():
    assert set(STAGES) - set(OVERHEAD) == {'inference_ms', 'age_ms'}
    known = sum(FRAME[stage] for stage in OVERHEAD)
    assert latency(EPISODE)['overhead_ms']['p50'] == known
    assert latency(EPISODE)['overhead_ms']['max'] == known + 100.0 - FRAME['publish_ms']


def test_what_follows_inference_is_counted_from_its_end():
    frame = dict.fromkeys(STAGES, 1.0) | {'postprocess_ms': 2.0, 'publish_ms': 5.0, 'age_ms': 17.0}
    episode = replace(EPISODE, stages=dict.fromkeys(EPISODE.depths_ns, frame))
    figures = latency(episode)
    # Inference ended 10 ms after the stamp.
    assert figures['returned_ms']['p50'] == pytest.approx(7.0)
    assert figures['decoded_ms']['p50'] == pytest.approx(3.0)
    assert figures['depth_arrival_ms']['max'] == pytest.approx(20.0)
    assert figures['cloud_arrival_ms']['max'] == pytest.approx(35.0)
    late = latency(replace(episode, clouds_ns={0: 12 * MS}))
    assert late['cloud_arrival_ms']['max'] == pytest.approx(2.0)


def test_memory_is_compared_after_the_warm_up():
    figures = soak(200_000_000, 203_000_000, EPISODE)
    assert figures['growth_percent'] == pytest.approx(1.5)
    assert figures['processed'] == 4


def test_impossible_options_are_refused():
    with pytest.raises(ConfigError, match='seconds'):
        benchmark.run(_arguments('--seconds', '0'))
    with pytest.raises(ConfigError, match='soak'):
        benchmark.run(_arguments('--soak', '-1'))
    with pytest.raises(ConfigError, match='size'):
        benchmark.run(_arguments('--size', 'large'))


def test_cores_are_shared_out(monkeypatch):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {3, 5, 6})
    shares = share(2)
    assert (shares.measured, shares.others) == ({3, 5}, {6})
    assert share(0).measured == share(0).others == frozenset()
    for count in (-1, 3):
        with pytest.raises(ConfigError, match='1 to 2 expected, or 0'):
            share(count)


def test_what_starts_within_the_block_is_confined():
    before = os.sched_getaffinity(0)
    core = max(before)
    ask = [sys.executable, '-c', 'import os; print(*os.sched_getaffinity(0))']
    with confined(frozenset({core})):
        assert subprocess.check_output(ask, text=True).split() == [str(core)]
    assert os.sched_getaffinity(0) == before
    with confined(frozenset()):
        assert os.sched_getaffinity(0) == before


def test_the_network_can_be_taken_out(tmp_path, capsys):
    path = tmp_path / 'figures.json'
    options = ('bench', '--pipeline', '--stub', '--size', '160x120', '--seconds', '2')
    assert main([*options, '--rate', '60', '--soak', '50', '--json', str(path)]) == 0
    report = json.loads(path.read_text())
    assert report['node']['engine'] == 'stub'
    assert not {'bare', 'idle', 'throughput'} & report.keys()
    for name in ('latency', 'soak'):
        assert report[name]['unaccounted'] == report[name]['dropped_bad'] == 0
    assert report['soak']['num_frames_sent'] > 50
    assert report['soak']['memory_before_mb'] > 100
    assert report['peak_throughput'] >= 60
    assert 'node memory' in capsys.readouterr().out


def test_a_short_run_is_complete_and_adds_up(tmp_path, capsys, monkeypatch):
    # Several test runs may share the machine: threads that wait are not to take it from the rest.
    monkeypatch.setenv('OMP_WAIT_POLICY', 'PASSIVE')
    path = tmp_path / 'figures.json'
    options = ('--model', 'flashdepth-tiny-l', '--size', '56x42', '--seconds', '2')
    assert benchmark.run(_arguments(*options, '--device', 'cpu', '--json', str(path))) == 0
    report = json.loads(path.read_text())
    for name in ('latency', 'throughput'):
        episode = report[name]
        assert episode['num_frames_sent'] == sum(episode[each] for each in ('processed', *DROPS))
        assert episode['unaccounted'] == 0
        assert episode['dropped_bad'] == episode['foreign'] == 0
    assert report['idle']['processed'] == report['idle']['depth_received'] == 0
    # At rest the node has stopped listening: it cannot even tell what it does not take.
    assert report['idle']['num_frames_sent'] > 0 == report['idle']['unwanted']
    for name in ('latency', 'throughput'):
        for received in ('depth_received', 'clouds_received'):
            assert 0 < report[name][received] < report[name]['num_frames_sent']
    rates = [bare['mean_frame_rate'] for bare in report['bare']]
    ratio = report['throughput']['mean_frame_rate'] / np.mean(rates)
    assert report['throughput_ratio'] == pytest.approx(ratio)
    assert {'command', 'versions', 'machine', 'node', 'subject'} <= report.keys()
    printed = capsys.readouterr().out
    assert 'Mean Frame Rate' in printed
    assert len(printed.splitlines()) < 30


def _arguments(*words):
    parser = argparse.ArgumentParser()
    benchmark.add_arguments(parser)
    return parser.parse_args(words)
