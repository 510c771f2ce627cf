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
from flashdepth_ros.node.statistics import STAGES

DROPS = ('dropped_transport', 'dropped_stale', 'dropped_bad', 'unwanted', 'foreign')
COUNTS = ('processed', *DROPS)
OVERHEAD = tuple(stage for stage in STAGES if stage not in ('inference_ms', 'age_ms'))
DECODED = ('transport_ms', 'wait_ms', 'decode_ms')
"""From the publisher's call to the array of pixels."""
RETURNED = ('postprocess_ms', 'publish_ms')
"""From the end of inference to the return of the last call that publishes; `age_ms` ends there."""
DROP_SHARE_MAX = 0.05


@dataclass(frozen=True)
class Episode:
    """What was seen of a number of images sent at one rate."""

    sent: int
    playback_rate: float
    counts: Mapping[str, int]
    """How the node accounts for them."""
    depths_ns: Mapping[int, int]
    """When the depth image of each stamp was received."""
    clouds_ns: Mapping[int, int]
    stages: Mapping[int, Mapping[str, float]]
    """Of the frame of each stamp, the stages of `~/timing`, ms."""
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
        'depth_received': len(episode.depths_ns),
        'clouds_received': len(episode.clouds_ns),
        'node_cpu_percent': 100.0 * episode.sending_cpu_s / episode.sending_s,
    }


def throughput(episode: Episode) -> dict[str, float]:
    """Return the rate at which depth came back, and what it cost."""
    received_s = [1e-9 * received for received in episode.depths_ns.values()]
    return {
        'mean_frame_rate': 1.0 / spread(np.diff(received_s).tolist())['mean'],
        'node_cpu_ms_per_frame': 1e3 * episode.cpu_s / max(episode.counts['processed'], 1),
        **account(episode),
    }


def latency(episode: Episode) -> dict[str, Any]:
    """Return end-to-end latency, jitter, the stages, and what lies between them, ms."""
    frames = list(episode.stages.values())
    received_ms = [1e-6 * received for received in episode.depths_ns.values()]
    intervals_ms = np.diff(received_ms).tolist()
    return {
        'latency_ms': spread([1e-6 * (got - at) for at, got in episode.depths_ns.items()]),
        'mean_frame_rate': 1e3 / spread(intervals_ms)['mean'],
        'std_dev_jitter_ms': float(np.std(intervals_ms)),
        'overhead_ms': spread([_sum(OVERHEAD, frame) for frame in frames]),
        'decoded_ms': spread([_sum(DECODED, frame) for frame in frames]),
        'returned_ms': spread([_sum(RETURNED, frame) for frame in frames]),
        'depth_arrival_ms': spread(_after_inference(episode, episode.depths_ns)),
        'cloud_arrival_ms': spread(_after_inference(episode, episode.clouds_ns)),
        'stages_ms': {stage: spread([frame[stage] for frame in frames]) for stage in STAGES},
        **account(episode),
    }


def soak(before_bytes: int, after_bytes: int, episode: Episode) -> dict[str, float]:
    """Return how much the node's memory grew over an episode that followed its warm-up."""
    return {
        'memory_before_mb': before_bytes / 1e6,
        'memory_after_mb': after_bytes / 1e6,
        'growth_percent': 100.0 * (after_bytes / before_bytes - 1.0),
        **account(episode),
    }


def _sum(stages: Sequence[str], frame: Mapping[str, float]) -> float:
    return sum(frame[stage] for stage in stages)


def _after_inference(episode: Episode, received_ns: Mapping[int, int]) -> list[float]:
    """Return the time from the end of each frame's inference to what was received of it, ms."""
    return [
        1e-6 * (received_ns[stamp_ns] - stamp_ns) - frame['age_ms'] + _sum(RETURNED, frame)
        for stamp_ns, frame in episode.stages.items()
        if stamp_ns in received_ns
    ]
