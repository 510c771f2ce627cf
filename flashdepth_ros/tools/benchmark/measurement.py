"""Run the tests of the node's benchmark one after the other."""

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
from flashdepth_ros.network.presets import preset
from flashdepth_ros.ros.environment import log_environment, transport_environment
from flashdepth_ros.runtime.weights import find_weights
from flashdepth_ros.tools.benchmark.config import BenchmarkConfig
from flashdepth_ros.tools.benchmark.cores import Cores, assign_cores, cpu_affinity
from flashdepth_ros.tools.benchmark.estimator_process import EstimatorResult
from flashdepth_ros.tools.benchmark.graph import Graph, running_graph
from flashdepth_ros.tools.benchmark.results import (
    DROP_SHARE_MAX,
    find_highest_rate,
    frame_counts,
    latency,
    memory_growth,
    throughput,
)

_ESTIMATOR, _THROUGHPUT, _LATENCY, _IDLE, _PEAK_TRIAL = 0.12, 0.2, 0.25, 0.08, 0.06
"""The tests' shares of the total duration; the rest is for starting processes."""
_THROUGHPUT_RATE, _LATENCY_RATE = 1.5, 0.7
"""Factors of the estimator's own rate: above what the node can process, and below it."""
_PEAK_RATES = (0.5, 1.2)
"""Factors of the estimator's own rate: the range in which the peak rate is searched."""
_STUBBED_HZ = 24.0
_STUBBED_PEAK_RATES = (1.0, 4.0)
"""Factors of the rate of the latency test."""
_BEFORE_IDLE_S = 3.0
"""A time after which the node has unsubscribed from images that nobody needs."""
_IDLE_HZ = 30.0
_FRAMES_MIN = 8
_PEAK_TRIALS, _PEAK_FRAMES_MIN = 4, 24
_SOAK_WARM_UP = 0.1
"""The additional warm-up frames before the soak test, as a share of its frames."""


@dataclass(frozen=True)
class Schedule:
    """Duration and input rate of the tests."""

    seconds: float
    """Approximate total duration, without the soak test."""
    rate: float = 0.0
    """Images per second; 0: chosen from the estimator's own rate, or 24 with a stub."""
    soak_frames: int = 0
    """Frames of the soak test, which measures memory growth; 0: no soak test."""


def measure(config: BenchmarkConfig, schedule: Schedule) -> dict[str, Any]:
    """
    Return the results by name; the estimator alone is measured before and after the node.

    With a stub for the network, only the node is measured.

    :raises FlashDepthError: the configuration is not possible, or a process failed.
    """
    cores = assign_cores(config.cores)
    with (
        _private_graph(),
        cpu_affinity(cores.others),
        TemporaryDirectory(prefix='flashdepth-') as name,
    ):
        folder = Path(name)
        config, weights = _with_weights(config, folder)
        about = {'config': asdict(config), 'weights': weights}
        if config.stubbed:
            with running_graph(config, cores.measured, folder) as graph:
                return about | _measure_stubbed_node(graph, schedule)
        before = _measure_estimator(config, cores.measured, _ESTIMATOR * schedule.seconds)
        with running_graph(config, cores.measured, folder) as graph:
            report = about | _measure_node(graph, schedule, before.mean_frame_rate)
        after = _measure_estimator(config, cores.measured, _ESTIMATOR * schedule.seconds)
    mean = (before.mean_frame_rate + after.mean_frame_rate) / 2
    return report | {
        'estimator': [asdict(before), asdict(after)],
        'throughput_ratio': report['throughput']['mean_frame_rate'] / mean,
    }


def _measure_node(graph: Graph, schedule: Schedule, estimator_rate: float) -> dict[str, Any]:
    """Return the results of the node, from idle to overload."""
    seconds = schedule.seconds
    _log('the node, with images but no subscribers ...')
    graph.run(_IDLE_HZ, _frames(_IDLE_HZ, _BEFORE_IDLE_S), settle=False)
    idle = graph.run(_IDLE_HZ, _frames(_IDLE_HZ, _IDLE * seconds), settle=False)
    graph.listener.listen()
    graph.connect()
    latency_results = _measure_latency(graph, _LATENCY_RATE * estimator_rate, _LATENCY * seconds)
    _log('the node, with more images than it can process ...')
    rate = schedule.rate or _THROUGHPUT_RATE * estimator_rate
    overload = graph.run(rate, _frames(rate, _THROUGHPUT * seconds))
    return {
        'idle': frame_counts(idle),
        'latency': latency_results,
        'throughput': throughput(overload),
        'peak_throughput': _find_peak(graph, estimator_rate, _PEAK_RATES, _PEAK_TRIAL * seconds),
        'soak': _soak(graph, _LATENCY_RATE * estimator_rate, schedule.soak_frames),
        'node': _node_info(graph),
    }


def _measure_stubbed_node(graph: Graph, schedule: Schedule) -> dict[str, Any]:
    """Return the results of the node without its network, at the rate of the schedule."""
    rate, seconds = schedule.rate or _STUBBED_HZ, schedule.seconds
    graph.listener.listen()
    return {
        'latency': _measure_latency(graph, rate, _LATENCY * seconds),
        'peak_throughput': _find_peak(graph, rate, _STUBBED_PEAK_RATES, _PEAK_TRIAL * seconds),
        'soak': _soak(graph, rate, schedule.soak_frames),
        'node': _node_info(graph),
    }


def _measure_latency(graph: Graph, rate: float, seconds: float) -> dict[str, Any]:
    _log('the node, below its maximum rate ...')
    graph.run(rate, _FRAMES_MIN)
    return latency(graph.run(rate, _frames(rate, seconds)))


def _find_peak(
    graph: Graph, rate: float, factors: tuple[float, float], seconds: float
) -> float | None:
    _log('the highest input rate of the node ...')

    def keeps_up(rate: float) -> bool:
        frames = max(_PEAK_FRAMES_MIN, _frames(rate, seconds))
        return graph.run(rate, frames).drop_share < DROP_SHARE_MAX

    return find_highest_rate(keeps_up, factors[0] * rate, factors[1] * rate, _PEAK_TRIALS)


def _soak(graph: Graph, rate: float, frames: int) -> dict[str, float] | None:
    if not frames:
        return None
    _log('the node, soak test ...')
    graph.run(rate, math.ceil(_SOAK_WARM_UP * frames))
    before_bytes = graph.node_memory_bytes()
    run = graph.run(rate, frames)
    return memory_growth(before_bytes, graph.node_memory_bytes(), run)


def _node_info(graph: Graph) -> dict[str, str]:
    names = ('device', 'precision', 'engine', 'memory_mb', 'device_memory_mb')
    return {name: graph.listener.diagnostics[name] for name in names}


def _measure_estimator(config: BenchmarkConfig, cores: Cores, seconds: float) -> EstimatorResult:
    _log('the estimator alone ...')
    module = 'flashdepth_ros.tools.benchmark.estimator_process'
    command = [sys.executable, '-m', module, json.dumps(asdict(config)), str(seconds)]
    with cpu_affinity(cores):
        process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        output = process.stderr.strip().splitlines() or ['no output']
        raise FlashDepthError(f'the estimator alone cannot be measured: {output[-1]}')
    return EstimatorResult(**json.loads(process.stdout))


def _with_weights(config: BenchmarkConfig, folder: Path) -> tuple[BenchmarkConfig, str]:
    """Return the configuration with existing weights, else random ones, and their file name."""
    if config.weights:
        return config, Path(config.weights).name
    try:
        path = find_weights(preset(config.model))
    except CheckpointError:
        # The speed does not depend on the values.
        path = folder / 'random.safetensors'
        save_weights(create_model(config.model).state_dict(), path, torch.float32, {})
    return replace(config, weights=str(path)), path.name


@contextmanager
def _private_graph() -> Iterator[None]:
    """Isolate the benchmark's ROS graph from other nodes on this computer and the network."""
    before = dict(os.environ)
    # The middleware reads its settings from the environment, here and in the child processes.
    os.environ['ROS_DOMAIN_ID'] = str(os.getpid() % 100 + 1)
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ.update(transport_environment(os.environ))
    os.environ.update(log_environment(os.environ))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _frames(rate: float, seconds: float) -> int:
    return max(_FRAMES_MIN, math.ceil(rate * seconds))


def _log(text: str) -> None:
    sys.stderr.write(f'{text}\n')
    sys.stderr.flush()
