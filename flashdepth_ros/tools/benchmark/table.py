"""The benchmark's report as lines to read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from flashdepth_ros.node.statistics import STAGES
from flashdepth_ros.tools.benchmark.bare import Bare
from flashdepth_ros.tools.benchmark.figures import DROPS

Figures = Mapping[str, Any]
_SPREADS = {
    'overhead_ms': 'overhead',
    'decoded_ms': 'publish to decoded',
    'returned_ms': 'inference to returned',
    'depth_arrival_ms': 'inference to depth got',
    'cloud_arrival_ms': 'inference to cloud got',
}


def table(report: Figures) -> list[str]:
    """Return the lines of what was measured; parts that were not are left out."""
    lines = list(_head(report))
    for name, rows in _PARTS.items():
        if report.get(name) is not None:
            lines += rows(report[name])
    return lines


def _head(report: Figures) -> Iterator[str]:
    subject, node, machine = report['subject'], report['node'], report['machine']
    yield (
        f'{subject["model"]} ({report["weights"]} weights), {node["engine"]} on {node["device"]} '
        f'in {node["precision"]}, {subject["width"]}x{subject["height"]} rgb8'
    )
    apart = f', {subject["cores"]} of them for the node alone' if subject['cores'] else ''
    yield (
        f'{machine["cpu"]}, {machine["cores"]} cores{apart}, '
        f'load {machine["load"]:.1f} at the start'
    )


def _bare(runs: list[Figures]) -> Iterator[str]:
    before, after = Bare(**runs[0]), Bare(**runs[1])
    yield (
        f'{"bare estimator":24} {before.mean_frame_rate:8.2f} fps before, '
        f'{after.mean_frame_rate:.2f} after; CPU {before.cpu_ms:.1f}, {after.cpu_ms:.1f} ms/frame'
    )


def _throughput(full: Figures) -> Iterator[str]:
    yield (
        f'{"node: Mean Frame Rate":24} {full["mean_frame_rate"]:8.2f} fps of '
        f'{full["mean_playback_frame_rate"]:.2f} sent; '
        f'CPU {full["node_cpu_ms_per_frame"]:.1f} ms/frame'
    )
    yield _missed(full)


def _ratio(ratio: float) -> Iterator[str]:
    yield f'{"node / bare":24} {100 * ratio:8.1f} %'


def _peak(rate: float) -> Iterator[str]:
    yield f'{"Peak Throughput":24} {rate:8.2f} fps with under 5 % drops'


def _latency(paced: Figures) -> Iterator[str]:
    yield f'at {paced["mean_playback_frame_rate"]:.2f} fps, ms {"":8} p50      p95      max'
    for stage in STAGES:
        yield _row(stage, paced['stages_ms'][stage])
    for name, title in _SPREADS.items():
        yield _row(title, paced[name])
    delay = paced['latency_ms']
    yield _row('End-to-End Latency', delay) + f'   mean {delay["mean"]:.2f}'
    yield f'{"Jitter Std. Deviation":24} {paced["std_dev_jitter_ms"]:8.2f} ms'
    yield _missed(paced)
    yield f'{"node CPU":24} {paced["node_cpu_percent"]:8.1f} % of a core'


def _idle(idle: Figures) -> Iterator[str]:
    yield (
        f'{"node CPU, idle":24} {idle["node_cpu_percent"]:8.1f} % of a core, '
        f'{idle["mean_playback_frame_rate"]:.0f} Hz of images, nobody subscribed'
    )


def _soak(soak: Figures) -> Iterator[str]:
    yield (
        f'{"node memory":24} {soak["growth_percent"]:8.2f} % more after {soak["processed"]} '
        f'frames: {soak["memory_before_mb"]:.1f} to {soak["memory_after_mb"]:.1f} MB'
    )
    yield _missed(soak)


_PARTS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    'bare': _bare,
    'throughput': _throughput,
    'throughput_ratio': _ratio,
    'peak_throughput': _peak,
    'latency': _latency,
    'idle': _idle,
    'soak': _soak,
}


def _row(name: str, values: Mapping[str, float]) -> str:
    return f'{name:24} ' + ' '.join(f'{values[key]:8.2f}' for key in ('p50', 'p95', 'max'))


def _missed(figures: Figures) -> str:
    causes = ', '.join(f'{each.removeprefix("dropped_")} {figures[each]:.0f}' for each in DROPS)
    missed, sent = figures['num_missed_frames'], figures['num_frames_sent']
    return f'{"# of Missed Frames":24} {missed:8.0f} of {sent:.0f}: {causes}'
