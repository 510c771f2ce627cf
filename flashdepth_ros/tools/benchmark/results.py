"""
Compute the benchmark's results from its measurements; ROS-independent.

The names are those of ros2_benchmark where it has the same quantity: mean frame rate, frames sent
and missed, end-to-end latency, frame-to-frame jitter, peak throughput.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flashdepth_ros.errors import FlashDepthError
from flashdepth_ros.node.statistics import STAGES

DROPS = ('dropped_transport', 'dropped_stale', 'dropped_bad', 'unwanted', 'foreign')
COUNTS = ('processed', *DROPS)
OVERHEAD = tuple(stage for stage in STAGES if stage not in ('inference_ms', 'age_ms'))
BEFORE_PREPROCESSING = ('transport_ms', 'wait_ms', 'decode_ms')
"""From the publisher's call to the decoded image."""
AFTER_INFERENCE = ('postprocess_ms', 'publish_ms')
"""From the end of inference to the end of the last publish call, where `age_ms` ends too."""
DROP_SHARE_MAX = 0.05


@dataclass(frozen=True)
class Run:
    """The measurements of a number of images sent at one rate."""

    sent: int
    playback_rate: float
    counts: Mapping[str, int]
    """The node's own counts of processed and dropped images."""
    depths_ns: Mapping[int, int]
    """The time of arrival of the depth image of each stamp."""
    clouds_ns: Mapping[int, int]
    """The time of arrival of the point cloud of each stamp."""
    stages: Mapping[int, Mapping[str, float]]
    """The stage times in `~/timing` of the frame of each stamp, ms."""
    sending_s: float
    sending_cpu_s: float
    """CPU time of the node while images were sent."""
    cpu_s: float
    """CPU time of the node until all images were processed."""

    @property
    def drop_share(self) -> float:
        """Return the share of the sent images that were not processed."""
        return 1.0 - self.counts['processed'] / self.sent


def summarize(values: Sequence[float]) -> dict[str, float]:
    """
    Return mean, p50, p95 and maximum.

    :raises FlashDepthError: there are no values.
    """
    if not len(values):
        raise FlashDepthError(
            'no output received from the depth node, so there is nothing to measure; increase '
            '--seconds'
        )
    p50, p95, largest = (float(each) for each in np.percentile(values, (50, 95, 100)))
    return {'mean': float(np.mean(values)), 'p50': p50, 'p95': p95, 'max': largest}


def find_highest_rate(
    keeps_up: Callable[[float], bool], low: float, high: float, steps: int
) -> float | None:
    """Return the highest rate at which `keeps_up` is true, by bisection; None: none found."""
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


def frame_counts(run: Run) -> dict[str, float]:
    """Return the sent, processed and dropped images; `unaccounted`, sent but in no count, is 0."""
    return {
        'num_frames_sent': run.sent,
        'mean_playback_frame_rate': run.playback_rate,
        **{name: run.counts[name] for name in COUNTS},
        'num_missed_frames': run.sent - run.counts['processed'],
        'unaccounted': run.sent - sum(run.counts[name] for name in COUNTS),
        'depth_received': len(run.depths_ns),
        'clouds_received': len(run.clouds_ns),
        'node_cpu_percent': 100.0 * run.sending_cpu_s / run.sending_s,
    }


def throughput(run: Run) -> dict[str, float]:
    """Return the rate of depth images received, and the node's CPU time for each frame."""
    received_s = [1e-9 * received for received in run.depths_ns.values()]
    return {
        'mean_frame_rate': 1.0 / summarize(np.diff(received_s).tolist())['mean'],
        'node_cpu_ms_per_frame': 1e3 * run.cpu_s / max(run.counts['processed'], 1),
        **frame_counts(run),
    }


def latency(run: Run) -> dict[str, Any]:
    """Return end-to-end latency, jitter, stage times and the times between stages, ms."""
    frames = list(run.stages.values())
    received_ms = [1e-6 * received for received in run.depths_ns.values()]
    intervals_ms = np.diff(received_ms).tolist()
    return {
        'latency_ms': summarize(
            [1e-6 * (received - sent) for sent, received in run.depths_ns.items()]
        ),
        'mean_frame_rate': 1e3 / summarize(intervals_ms)['mean'],
        'std_dev_jitter_ms': float(np.std(intervals_ms)),
        'overhead_ms': summarize([_sum(OVERHEAD, frame) for frame in frames]),
        'input_ms': summarize([_sum(BEFORE_PREPROCESSING, frame) for frame in frames]),
        'output_ms': summarize([_sum(AFTER_INFERENCE, frame) for frame in frames]),
        'depth_arrival_ms': summarize(_since_inference(run, run.depths_ns)),
        'cloud_arrival_ms': summarize(_since_inference(run, run.clouds_ns)),
        'stages_ms': {stage: summarize([frame[stage] for frame in frames]) for stage in STAGES},
        **frame_counts(run),
    }


def memory_growth(before_bytes: int, after_bytes: int, run: Run) -> dict[str, float]:
    """Return the growth of the node's memory over a run after its warm-up."""
    return {
        'memory_before_mb': before_bytes / 1e6,
        'memory_after_mb': after_bytes / 1e6,
        'growth_percent': 100.0 * (after_bytes / before_bytes - 1.0),
        **frame_counts(run),
    }


def _sum(stages: Sequence[str], frame: Mapping[str, float]) -> float:
    return sum(frame[stage] for stage in stages)


def _since_inference(run: Run, received_ns: Mapping[int, int]) -> list[float]:
    """Return the times from the end of each frame's inference to the arrival of its output, ms."""
    return [
        1e-6 * (received_ns[stamp_ns] - stamp_ns) - frame['age_ms'] + _sum(AFTER_INFERENCE, frame)
        for stamp_ns, frame in run.stages.items()
        if stamp_ns in received_ns
    ]
