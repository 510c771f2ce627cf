"""Format the benchmark's report as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from flashdepth_ros.node.statistics import STAGES
from flashdepth_ros.tools.benchmark.estimator_process import EstimatorResult
from flashdepth_ros.tools.benchmark.results import DROPS

Results = Mapping[str, Any]
_PERCENTILES = ('p50', 'p95', 'max')
_DURATIONS = {
    'overhead_ms': 'all stages but inference',
    'input_ms': 'publish call to decoded image',
    'output_ms': 'inference to published',
    'depth_arrival_ms': 'inference to depth received',
    'cloud_arrival_ms': 'inference to cloud received',
}


def table(report: Results) -> list[str]:
    """Return the lines of the table; tests that were not run are left out."""
    lines = list(_header(report))
    for name, rows in _PARTS.items():
        if report.get(name) is not None:
            lines += rows(report)
    return lines


def _header(report: Results) -> Iterator[str]:
    config, node, machine = report['config'], report['node'], report['machine']
    yield (
        f'{config["model"]} (weights: {report["weights"]}), {node["engine"]} on {node["device"]} '
        f'in {node["precision"]}, {config["width"]}x{config["height"]} rgb8'
    )
    reserved = f', {config["cores"]} of them reserved for the node' if config['cores'] else ''
    yield (
        f'{machine["cpu"]}, {machine["cores"]} cores{reserved}, '
        f'load {machine["load"]:.1f} at the start'
    )


def _estimator(report: Results) -> Iterator[str]:
    before, after = (EstimatorResult(**result) for result in report['estimator'])
    yield (
        f'{_label("estimator alone")} {before.mean_frame_rate:8.2f} fps before, '
        f'{after.mean_frame_rate:.2f} after; CPU {before.cpu_ms:.1f}, {after.cpu_ms:.1f} ms/frame'
    )


def _throughput(report: Results) -> Iterator[str]:
    results, ratio = report['throughput'], report['throughput_ratio']
    input_rate = results['mean_playback_frame_rate']
    factor = input_rate * ratio / results['mean_frame_rate']
    yield (
        f'{_label("node: Mean Frame Rate")} {results["mean_frame_rate"]:8.2f} fps at an input '
        f"rate of {input_rate:.2f} fps, {factor:.1f} times the estimator's own rate"
    )
    yield f"{_label('')} {100 * ratio:8.1f} % of the estimator's own rate"
    yield f'{_label("node CPU")} {results["node_cpu_ms_per_frame"]:8.1f} ms/frame'
    yield _missed(results)


def _peak(report: Results) -> Iterator[str]:
    yield f'{_label("Peak Throughput")} {report["peak_throughput"]:8.2f} fps with under 5 % drops'


def _latency(report: Results) -> Iterator[str]:
    results = report['latency']
    title = f'at {results["mean_playback_frame_rate"]:.2f} fps, ms'
    yield f'{_label(title)} ' + ' '.join(f'{name:>8}' for name in _PERCENTILES)
    for stage in STAGES:
        yield _row(stage, results['stages_ms'][stage])
    for name, title in _DURATIONS.items():
        yield _row(title, results[name])
    delay = results['latency_ms']
    yield _row('End-to-End Latency', delay) + f'   mean {delay["mean"]:.2f}'
    yield f'{_label("Jitter Std. Deviation")} {results["std_dev_jitter_ms"]:8.2f} ms'
    yield _missed(results)
    yield f'{_label("node CPU")} {results["node_cpu_percent"]:8.1f} % of a core'


def _idle(report: Results) -> Iterator[str]:
    results = report['idle']
    yield (
        f'{_label("node CPU, idle")} {results["node_cpu_percent"]:8.1f} % of a core, '
        f'{results["mean_playback_frame_rate"]:.0f} images/s, no subscriber'
    )


def _soak(report: Results) -> Iterator[str]:
    results = report['soak']
    yield (
        f'{_label("node memory growth")} {results["growth_percent"]:8.2f} % over '
        f'{results["processed"]} frames: {results["memory_before_mb"]:.1f} to '
        f'{results["memory_after_mb"]:.1f} MB'
    )
    yield _missed(results)


_PARTS: Mapping[str, Callable[[Results], Iterable[str]]] = {
    'estimator': _estimator,
    'throughput': _throughput,
    'peak_throughput': _peak,
    'latency': _latency,
    'idle': _idle,
    'soak': _soak,
}


def _label(text: str) -> str:
    return f'{text:29}'


def _row(name: str, values: Mapping[str, float]) -> str:
    return f'{_label(name)} ' + ' '.join(f'{values[key]:8.2f}' for key in _PERCENTILES)


def _missed(results: Results) -> str:
    causes = ', '.join(f'{each.removeprefix("dropped_")} {results[each]:.0f}' for each in DROPS)
    missed, sent = results['num_missed_frames'], results['num_frames_sent']
    return f'{_label("# of Missed Frames")} {missed:8.0f} of {sent:.0f}: {causes}'
