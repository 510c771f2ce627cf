"""`flashdepth bench node`: what the node costs beside its estimator, over real DDS."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
import json
import math
import os
from pathlib import Path
import platform
import shlex
import subprocess
import sys
from tempfile import TemporaryDirectory
import time
from typing import Any

import cv2
import numpy as np
from rclpy.utilities import get_rmw_implementation_identifier
import torch

from flashdepth_ros import __version__
from flashdepth_ros.errors import CheckpointError, ConfigError, FlashDepthError
from flashdepth_ros.network import create_model
from flashdepth_ros.network.checkpoint import save_weights
from flashdepth_ros.network.config import preset
from flashdepth_ros.node.benchmark.bare import Bare
from flashdepth_ros.node.benchmark.figures import (
    DROP_SHARE_MAX,
    account,
    highest_rate,
    latency,
    table,
    throughput,
)
from flashdepth_ros.node.benchmark.graph import Graph, running_graph
from flashdepth_ros.node.benchmark.subject import Subject
from flashdepth_ros.node.environment import transport_environment
from flashdepth_ros.runtime.benchmark import parse_size
from flashdepth_ros.runtime.weights import find_weights

# Shares of the whole time; the rest is for starting processes.
_BARE, _FULL, _PACED, _IDLE = 0.15, 0.25, 0.25, 0.1
_FULL_RATE, _PACED_RATE = 1.5, 0.7
"""Of the bare estimator's: more than it can process, and so little that none waits."""
_REST_S = 3.0
"""After which the node has seen that nobody wants the images."""
_IDLE_HZ = 30.0
_FRAMES_MIN = 8
_TRIALS, _TRIAL_FRAMES = 5, 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument('--model', default='flashdepth-tiny', help='preset (flashdepth-tiny)')
    parser.add_argument(
        '--weights', default='', help="checkpoint (default: the preset's own, else random ones)"
    )
    parser.add_argument('--size', default='640x480', metavar='WxH', help='of the images, px')
    parser.add_argument('--short-side', type=int, default=0, metavar='PX', help='of the network')
    parser.add_argument('--device', default='auto')
    parser.add_argument('--precision', default='auto')
    parser.add_argument('--engine', default='auto')
    parser.add_argument('--seconds', type=float, default=60.0, help='in all, about (default 60)')
    parser.add_argument(
        '--rate', type=float, default=0.0, metavar='HZ', help='for the throughput (default: found)'
    )
    parser.add_argument(
        '--reliable', action='store_true', help='the node subscribes so (default: best effort)'
    )
    parser.add_argument(
        '--peak', action='store_true', help='also search the highest rate with under 5 %% drops'
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the figures there too')


def run(arguments: argparse.Namespace) -> int:
    """
    Measure, print the table, write the figures, and return 0.

    :raises FlashDepthError: an option is not possible, or a process failed; with what it said.
    """
    if not (arguments.seconds > 0 and arguments.rate >= 0):
        raise ConfigError(
            f'--seconds {arguments.seconds} --rate {arguments.rate}: expected seconds above 0, '
            'and a rate above 0, or 0 to find one'
        )
    report = measure(arguments)
    sys.stdout.write('\n'.join(table(report)) + '\n')
    if arguments.json is not None:
        try:
            arguments.json.write_text(json.dumps(report, indent=1) + '\n', encoding='utf-8')
        except OSError as error:
            raise ConfigError(f'{arguments.json}: cannot be written: {error.strerror}') from error
    return 0


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """
    Return the figures by name: the bare estimator, then the node, then the bare one again.

    :raises FlashDepthError: an option is not possible, or a process failed; with what it said.
    """
    subject, seconds = _subject(arguments), arguments.seconds
    report: dict[str, Any] = {
        'command': shlex.join(sys.argv),
        'machine': _machine(),
        'versions': _versions(),
    }
    with _private_graph(), TemporaryDirectory(prefix='flashdepth-') as name:
        folder = Path(name)
        subject, report['weights'] = _with_weights(subject, folder)
        before = _bare(subject, _BARE * seconds)
        with running_graph(subject, folder) as graph:
            report |= _measured_node(graph, arguments, before.mean_frame_rate)
        after = _bare(subject, _BARE * seconds)
    mean = (before.mean_frame_rate + after.mean_frame_rate) / 2
    return report | {
        'subject': asdict(subject),
        'bare': [asdict(before), asdict(after)],
        'throughput_ratio': report['throughput']['mean_frame_rate'] / mean,
    }


def _measured_node(
    graph: Graph, arguments: argparse.Namespace, bare_rate: float
) -> dict[str, Any]:
    """Return the figures of the node, from idle to overload."""
    seconds = arguments.seconds
    _say('the node, with images but no subscribers ...')
    graph.play(_IDLE_HZ, _frames(_IDLE_HZ, _REST_S))
    idle = graph.play(_IDLE_HZ, _frames(_IDLE_HZ, _IDLE * seconds))
    graph.listener.listen()
    graph.play(_PACED_RATE * bare_rate, _FRAMES_MIN)
    _say('the node, with time to spare ...')
    rate = _PACED_RATE * bare_rate
    paced = graph.play(rate, _frames(rate, _PACED * seconds))
    _say('the node, with more images than it can process ...')
    rate = arguments.rate or _FULL_RATE * bare_rate
    full = graph.play(rate, _frames(rate, _FULL * seconds))
    return {
        'idle': account(idle),
        'latency': latency(paced),
        'throughput': throughput(full),
        'peak_throughput': _peak(graph, bare_rate) if arguments.peak else None,
        'node': {
            key: graph.listener.facts[key]
            for key in ('device', 'precision', 'engine', 'memory_mb', 'device_memory_mb')
        },
    }


def _peak(graph: Graph, bare_rate: float) -> float | None:
    _say('the highest rate that the node keeps up with ...')

    def keeps_up(rate: float) -> bool:
        return graph.play(rate, _TRIAL_FRAMES).drop_share < DROP_SHARE_MAX

    return highest_rate(keeps_up, 0.5 * bare_rate, 1.1 * bare_rate, _TRIALS)


def _bare(subject: Subject, seconds: float) -> Bare:
    _say('the bare estimator ...')
    module = 'flashdepth_ros.node.benchmark.bare'
    command = [sys.executable, '-m', module, json.dumps(asdict(subject)), str(seconds)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or ['it said nothing']
        raise FlashDepthError(f'the bare estimator cannot be measured: {said[-1]}')
    return Bare(**json.loads(ended.stdout))


def _subject(arguments: argparse.Namespace) -> Subject:
    width, height = parse_size(arguments.size)
    return Subject(
        width,
        height,
        arguments.model,
        arguments.weights,
        arguments.device,
        arguments.precision,
        arguments.engine,
        arguments.short_side,
        arguments.reliable,
    )


def _with_weights(subject: Subject, folder: Path) -> tuple[Subject, str]:
    """Return the subject with weights that exist, and what they are: random ones are as fast."""
    if subject.weights:
        return subject, Path(subject.weights).name
    try:
        path = find_weights(preset(subject.model))
    except CheckpointError:
        path = folder / 'random.safetensors'
        save_weights(create_model(subject.model).state_dict(), path, torch.float32, {})
    return replace(subject, weights=str(path)), path.name


@contextmanager
def _private_graph() -> Iterator[None]:
    """Keep the benchmark on this machine and among itself: what runs on it must not hear it."""
    before = dict(os.environ)
    # The middleware reads its settings from the environment, here and in the processes.
    os.environ['ROS_DOMAIN_ID'] = str(os.getpid() % 100 + 1)
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ.update(transport_environment(os.environ))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _frames(rate: float, seconds: float) -> int:
    return max(_FRAMES_MIN, math.ceil(rate * seconds))


def _machine() -> dict[str, Any]:
    cpuinfo = Path('/proc/cpuinfo')
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return {
        'cpu': names[0] if names else platform.processor(),
        'cores': os.cpu_count(),
        'load': os.getloadavg()[0],
        'system': platform.platform(),
        'time': time.strftime('%Y-%m-%dT%H:%M:%S%z'),
    }


def _versions() -> dict[str, str]:
    return {
        'flashdepth_ros': __version__,
        'python': platform.python_version(),
        'torch': torch.__version__,
        'numpy': np.__version__,
        'opencv': cv2.__version__,
        'middleware': get_rmw_implementation_identifier(),
    }


def _say(text: str) -> None:
    sys.stderr.write(f'{text}\n')
    sys.stderr.flush()
