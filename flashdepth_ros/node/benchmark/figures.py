"""
From what the benchmark saw to its figures; no ROS.

The names are those of ros2_benchmark where it has the figure: mean frame rate, frames sent and
missed, end-to-end latency, frame-to-frame jitter, peak throughput.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flashdepth_ros.errors import FlashDepthError
from flashdepth_ros.node.benchmark.bare import Bare
from flashdepth_ros.node.statistics import STAGES

DROPS = ('dropped_transport', 'dropped_stale', 'dropped_bad', 'unwanted', 'foreign')
COUNTS = ('processed', *DROPS)
OVERHEAD = tuple(stage for stage in STAGES if stage not in ('inference_ms', 'age_ms'))
DROP_SHARE_MAX = 0.05


@dataclass(frozen=True)
class Episode:
    """What was seen of a number of images sent at one rate."""

    sent: int
    playback_rate: float
    counts: Mapping[str, int]
    """How the node accounts for them."""
    arrivals_ns: Sequence[tuple[int, int]]
    """Of each depth image, its stamp and when it was received."""
    clouds: int
    stages: Sequence[Mapping[str, float]]
    """Of each frame, the stages of `~/timing`, ms."""
    sending_s: float
    sending_cpu_s: float
    """The node's CPU time while images were sent."""
    cpu_s: float
    """Its CPU time until all of them were processed."""

    @property
    def drop_share(self) -> float:
        """Of the images sent, the share that was not processed."""
        return 1.0 - self.counts['processed'] / self.sent


def spread(values: Sequence[float]) -> dict[str, float]:
    """
    Return mean, p50, p95 and maximum.

    :raises FlashDepthError: there are no values.
    """
    if not len(values):
        raise FlashDepthError(
            'nothing came back from the depth node, so there is nothing to measure; give more '
            'time with --seconds'
        )
    p50, p95, largest = (float(each) for each in np.percentile(values, (50, 95, 100)))
    return {'mean': float(np.mean(values)), 'p50': p50, 'p95': p95, 'max': largest}


def highest_rate(
    keeps_up: Callable[[float], bool], low: float, high: float, steps: int
) -> float | None:
    """Return, halving the range each time, the highest rate found that it keeps up with."""
    best = None
    rate = high
    for _ in range(steps):
        if keeps_up(rate):
            best = low = rate
            if rate == high:
                break
        else:
            high = rate
        rate = (low + high) / 2
    return best


def account(episode: Episode) -> dict[str, float]:
    """Return where the images went; `unaccounted` is what the node cannot tell of, so 0."""
    return {
        'num_frames_sent': episode.sent,
        'mean_playback_frame_rate': episode.playback_rate,
        **{name: episode.counts[name] for name in COUNTS},
        'num_missed_frames': episode.sent - episode.counts['processed'],
        'unaccounted': episode.sent - sum(episode.counts[name] for name in COUNTS),
        'depth_received': len(episode.arrivals_ns),
        'clouds_received': episode.clouds,
        'node_cpu_percent': 100.0 * episode.sending_cpu_s / episode.sending_s,
    }


def throughput(episode: Episode) -> dict[str, float]:
    """Return the rate at which depth came back, and what it cost."""
    received_s = [1e-9 * received for _, received in episode.arrivals_ns]
    return {
        'mean_frame_rate': 1.0 / spread(np.diff(received_s).tolist())['mean'],
        'node_cpu_ms_per_frame': 1e3 * episode.cpu_s / max(episode.counts['processed'], 1),
        **account(episode),
    }


def latency(episode: Episode) -> dict[str, Any]:
    """Return end-to-end latency, jitter, the stages, and the overhead: all but inference, ms."""
    received_ms = [1e-6 * received for _, received in episode.arrivals_ns]
    intervals_ms = np.diff(received_ms).tolist()
    overheads_ms = [sum(frame[stage] for stage in OVERHEAD) for frame in episode.stages]
    return {
        'latency_ms': spread([1e-6 * (got - stamp) for stamp, got in episode.arrivals_ns]),
        'mean_frame_rate': 1e3 / spread(intervals_ms)['mean'],
        'std_dev_jitter_ms': float(np.std(intervals_ms)),
        'overhead_ms': spread(overheads_ms),
        'stages_ms': {
            stage: spread([frame[stage] for frame in episode.stages]) for stage in STAGES
        },
        **account(episode),
    }


def table(report: Mapping[str, Any]) -> list[str]:
    """Return the report as lines to read."""
    before, after = Bare(**report['bare'][0]), Bare(**report['bare'][1])
    full, paced, idle = report['throughput'], report['latency'], report['idle']
    subject, node = report['subject'], report['node']
    delay, overhead = paced['latency_ms'], paced['overhead_ms']
    peak = report['peak_throughput']
    lines = [
        f'{subject["model"]} ({report["weights"]} weights), {node["engine"]} on {node["device"]} '
        f'in {node["precision"]}, {subject["width"]}x{subject["height"]} rgb8',
        f'{report["machine"]["cpu"]}, {report["machine"]["cores"]} cores, '
        f'load {report["machine"]["load"]:.1f} at the start',
        f'{"bare estimator":24} {before.mean_frame_rate:8.2f} fps before, '
        f'{after.mean_frame_rate:.2f} after; CPU {before.cpu_ms:.1f}, {after.cpu_ms:.1f} ms/frame',
        f'{"node: Mean Frame Rate":24} {full["mean_frame_rate"]:8.2f} fps of '
        f'{full["mean_playback_frame_rate"]:.2f} sent; '
        f'CPU {full["node_cpu_ms_per_frame"]:.1f} ms/frame',
        f'{"node / bare":24} {100 * report["throughput_ratio"]:8.1f} %',
        _missed('# of Missed Frames', full),
    ]
    if peak is not None:
        lines.append(f'{"Peak Throughput":24} {peak:8.2f} fps with under 5 % drops')
    lines += [
        f'at {paced["mean_playback_frame_rate"]:.2f} fps, ms {"":8} p50      p95      max',
        *(_row(stage, paced['stages_ms'][stage]) for stage in STAGES),
        _row('overhead', overhead),
        _row('End-to-End Latency', delay) + f'   mean {delay["mean"]:.2f}',
        f'{"Jitter Std. Deviation":24} {paced["std_dev_jitter_ms"]:8.2f} ms',
        _missed('# of Missed Frames', paced),
        f'{"node CPU":24} {paced["node_cpu_percent"]:8.1f} % of a core',
        f'{"node CPU, idle":24} {idle["node_cpu_percent"]:8.1f} % of a core, '
        f'{idle["mean_playback_frame_rate"]:.0f} Hz of images, nobody subscribed',
    ]
    return lines


def _row(name: str, values: Mapping[str, float]) -> str:
    return f'{name:24} ' + ' '.join(f'{values[key]:8.2f}' for key in ('p50', 'p95', 'max'))


def _missed(name: str, figures: Mapping[str, float]) -> str:
    causes = ', '.join(f'{each.removeprefix("dropped_")} {figures[each]:.0f}' for each in DROPS)
    missed, sent = figures['num_missed_frames'], figures['num_frames_sent']
    return f'{name:24} {missed:8.0f} of {sent:.0f}: {causes}'
