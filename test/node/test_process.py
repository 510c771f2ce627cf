"""The process of the node: signals at any moment, and what ends it early is one line."""

from itertools import cycle
import os
from pathlib import Path
import subprocess
import sys
import time

import pytest

from flashdepth_ros.interruption import INTERRUPTED_STATUS
from support.interrupted_node import LOAD_S, MOMENTS
from support.network import ENGINE
from support.node_process import NodeProcess, golden_weights
from support.paths import ROOT

PRESET = 'flashdepth-tiny-s'
LARGE_BYTES = 1_000_000
EXPECTED = dict.fromkeys(MOMENTS, 0) | dict.fromkeys(('create', 'load'), INTERRUPTED_STATUS)
ENVIRONMENT = {**os.environ, 'PYTHONPATH': os.pathsep.join((str(ROOT), str(ROOT / 'test')))}


def start(module, *words, **parameters):
    """Start a Python module as a node; its output is a pipe."""
    settings = {'engine': ENGINE, 'device': 'cpu', 'inference.short_side': 112, **parameters}
    assignments = [word for pair in settings.items() for word in ('-p', ':='.join(map(str, pair)))]
    return subprocess.Popen(
        [sys.executable, '-m', module, *words, '--ros-args', *assignments],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_signals_at_any_moment_end_the_process_without_a_traceback(tmp_path):
    weights = golden_weights(tmp_path, PRESET)
    start_s = time.monotonic()
    nodes = {
        moment: start('support.interrupted_node', moment, number, model=PRESET, weights=weights)
        for moment, number in zip(MOMENTS, cycle(('SIGINT', 'SIGTERM')), strict=False)
    }
    output = {moment: node.communicate(timeout=LOAD_S)[0] for moment, node in nodes.items()}
    assert {moment: node.returncode for moment, node in nodes.items()} == EXPECTED
    assert not [text for text in output.values() if 'Traceback' in text or 'Exception' in text]
    assert time.monotonic() - start_s < LOAD_S


@pytest.mark.parametrize(
    ('words', 'parameters', 'text'),
    [
        ((), {'qos_overrides./points.publisher.depth': -1}, 'expected an integer from 1'),
        (('--ros-args', '--params-file', '/nowhere.yaml'), {}, '/nowhere.yaml'),
    ],
    ids=['QoS', 'file'],
)
def test_what_prevents_the_start_is_one_line(words, parameters, text):
    node = start('flashdepth_ros.node', *words, **parameters)
    lines = node.communicate(timeout=LOAD_S)[0].splitlines()
    assert node.returncode == 1
    assert [text in line for line in lines if '[ERROR] [' in line][-1:] == [True]
    assert not [line for line in lines if 'Traceback' in line]


@pytest.mark.parametrize('word', ['--help', '-h'])
def test_help_is_printed_without_ros(tmp_path, word):
    for name in ('rclpy', 'torch', 'numpy'):
        (tmp_path / f'{name}.py').write_text('raise ImportError')
    path = os.pathsep.join((str(tmp_path), str(ROOT)))
    asked = subprocess.run(
        [sys.executable, '-m', 'flashdepth_ros.node', word, '--ros-args', '-r', '__ns:=/robot'],
        env=os.environ | {'PYTHONPATH': path},
        capture_output=True,
        text=True,
        timeout=LOAD_S,
    )
    assert (asked.returncode, asked.stderr) == (0, '')
    assert asked.stdout.startswith('usage: depth_node ')
    assert '--ros-args' in asked.stdout
    (defaults,) = (line for line in asked.stdout.splitlines() if line.endswith('depth.yaml'))
    assert Path(defaults.strip()).is_file()


def test_a_stopped_node_leaves_no_large_shared_memory(tmp_path):
    weights = golden_weights(tmp_path, PRESET)
    with NodeProcess(tmp_path, model=PRESET, weights=weights) as process:
        process.wait_for_line('configured')
        maps = Path(f'/proc/{process.pid}/maps').read_text().split()
        segments = [path for path in map(Path, set(maps)) if path.parent == Path('/dev/shm')]
        large = [path for path in segments if path.stat().st_size > LARGE_BYTES]
        assert large
        assert process.stop() == 0
        assert not [path for path in large if path.exists()]
