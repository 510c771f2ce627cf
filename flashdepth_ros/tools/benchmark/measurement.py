"""What the node's benchmark does, one episode after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
import json
import math
import os
from pathlib import Path
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import Any

import torch

from flashdepth_ros.errors import CheckpointError, FlashDepthError
from flashdepth_ros.network import create_model
from flashdepth_ros.network.checkpoint import save_weights
from flashdepth_ros.network.config import preset
from flashdepth_ros.ros.environment import transport_environment
from flashdepth_ros.runtime.weights import find_weights
from flashdepth_ros.tools.benchmark.bare import Bare
from flashdepth_ros.tools.benchmark.cores import Cores, confined, share
from flashdepth_ros.tools.benchmark.figures import (
    DROP_SHARE_MAX,
    account,
    highest_rate,
    latency,
    soak,
    throughput,
)
from flashdepth_ros.tools.benchmark.graph import Graph, running_graph
from flashdepth_ros.tools.benchmark.subject import Subject

# Shares of the whole time; the rest is for starting processes.
_BARE, _FULL, _PACED, _IDLE, _TRIAL = 0.12, 0.2, 0.25, 0.08, 0.06
_FULL_RATE, _PACED_RATE = 1.5, 0.7
"""Of the bare estimator's: more than it can process, and so little that none waits."""
_PEAK_RATES = (0.5, 1.2)
"""Of the bare estimator's: between these the highest rate is looked for."""
_STUBBED_HZ = 24.0
_STUBBED_PEAK_RATES = (1.0, 4.0)
"""Of the rate that the latency is measured at."""
_REST_S = 3.0
"""After which the node has seen that nobody wants the images."""
_IDLE_HZ = 30.0
_FRAMES_MIN = 8
_TRIALS, _TRIAL_FRAMES_MIN = 4, 24
_SOAK_WARM_UP = 0.1
"""Of the soak's frames, how many more go before it."""


@dataclass(frozen=True)
class Schedule:
    """How long, how fast, and how often."""

    seconds: float
    """In all, about; without the soak."""
    rate: float = 0.0
    """Images per second; 0: what the bare estimator suggests, or for a stub 24."""
    soak_frames: int = 0
    """After which memory is compared; 0: not at all."""


def measure(subject: Subject, schedule: Schedule) -> dict[str, Any]:
    """
    Return the figures by name: the bare estimator, then the node, then the bare one again.

    With a stub for the network, which has no speed of its own to compare with, the node alone.

    :raises FlashDepthError: what is to be measured is not possible, or a process failed.
    """
    cores = share(subject.cores)
    with (
        _private_graph(),
        confined(cores.others),
        TemporaryDirectory(prefix='flashdepth-') as name,
    ):
        folder = Path(name)
        subject, weights = _with_weights(subject, folder)
        about = {'subject': asdict(subject), 'weights': weights}
        if subject.stubbed:
            with running_graph(subject, cores.measured, folder) as graph:
                return about | _stubbed_node(graph, schedule)
        before = _bare(subject, cores.measured, _BARE * schedule.seconds)
        with running_graph(subject, cores.measured, folder) as graph:
            report = about | _whole_node(graph, schedule, before.mean_frame_rate)
        after = _bare(subject, cores.measured, _BARE * schedule.seconds)
    mean = (before.mean_frame_rate + after.mean_frame_rate) / 2
    return report | {
        'bare': [asdict(before), asdict(after)],
        'throughput_ratio': report['throughput']['mean_frame_rate'] / mean,
    }


def _whole_node(graph: Graph, schedule: Schedule, bare_rate: float) -> dict[str, Any]:
    """Return the figures of the node, from idle to overload."""
    seconds = schedule.seconds
    _say('the node, with images but no subscribers ...')
    graph.play(_IDLE_HZ, _frames(_IDLE_HZ, _REST_S), settle=False)
    idle = graph.play(_IDLE_HZ, _frames(_IDLE_HZ, _IDLE * seconds), settle=False)
    graph.listener.listen()
    graph.connect()
    paced = _paced(graph, _PACED_RATE * bare_rate, _PACED * seconds)
    _say('the node, with more images than it can process ...')
    rate = schedule.rate or _FULL_RATE * bare_rate
    full = graph.play(rate, _frames(rate, _FULL * seconds))
    return {
        'idle': account(idle),
        'latency': paced,
        'throughput': throughput(full),
        'peak_throughput': _peak(graph, bare_rate, _PEAK_RATES, _TRIAL * seconds),
        'soak': _soak(graph, _PACED_RATE * bare_rate, schedule.soak_frames),
        'node': _facts(graph),
    }


def _stubbed_node(graph: Graph, schedule: Schedule) -> dict[str, Any]:
    """Return the figures of the node without its network, at the rate asked for."""
    rate, seconds = schedule.rate or _STUBBED_HZ, schedule.seconds
    graph.listener.listen()
    return {
        'latency': _paced(graph, rate, _PACED * seconds),
        'peak_throughput': _peak(graph, rate, _STUBBED_PEAK_RATES, _TRIAL * seconds),
        'soak': _soak(graph, rate, schedule.soak_frames),
        'node': _facts(graph),
    }


def _paced(graph: Graph, rate: float, seconds: float) -> dict[str, Any]:
    _say('the node, with time to spare ...')
    graph.play(rate, _FRAMES_MIN)
    return latency(graph.play(rate, _frames(rate, seconds)))


def _peak(graph: Graph, rate: float, between: tuple[float, float], seconds: float) -> float | None:
    _say('the highest rate that the node keeps up with ...')

    def keeps_up(rate: float) -> bool:
        frames = max(_TRIAL_FRAMES_MIN, _frames(rate, seconds))
        return graph.play(rate, frames).drop_share < DROP_SHARE_MAX

    return highest_rate(keeps_up, between[0] * rate, between[1] * rate, _TRIALS)


def _soak(graph: Graph, rate: float, frames: int) -> dict[str, float] | None:
    if not frames:
        return None
    _say('the node, for long ...')
    graph.play(rate, math.ceil(_SOAK_WARM_UP * frames))
    before_bytes = graph.node_memory_bytes()
    episode = graph.play(rate, frames)
    return soak(before_bytes, graph.node_memory_bytes(), episode)


def _facts(graph: Graph) -> dict[str, str]:
    names = ('device', 'precision', 'engine', 'memory_mb', 'device_memory_mb')
    return {name: graph.listener.facts[name] for name in names}


def _bare(subject: Subject, cores: Cores, seconds: float) -> Bare:
    _say('the bare estimator ...')
    module = 'flashdepth_ros.tools.benchmark.bare'
    command = [sys.executable, '-m', module, json.dumps(asdict(subject)), str(seconds)]
    with confined(cores):
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or ['it said nothing']
        raise FlashDepthError(f'the bare estimator cannot be measured: {said[-1]}')
    return Bare(**json.loads(ended.stdout))


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


def _say(text: str) -> None:
    sys.stderr.write(f'{text}\n')
    sys.stderr.flush()
