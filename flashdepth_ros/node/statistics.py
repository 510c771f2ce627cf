"""What the node counts and times; no ROS."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, fields
from threading import Lock
import time

import numpy as np

WINDOW_FRAMES = 300
RATE_WINDOW_S = 5.0


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """The stages of one frame, ms."""

    transport_ms: float
    wait_ms: float
    decode_ms: float
    preprocess_ms: float
    inference_ms: float
    postprocess_ms: float
    publish_ms: float
    age_ms: float
    """Now minus the header's stamp, when everything was published."""


STAGES = tuple(each.name for each in fields(FrameTimes))


@dataclass(frozen=True)
class Snapshot:
    """The statistics at one moment."""

    processed: int
    dropped_transport: int
    """Lost before they reached the node."""
    dropped_stale: int
    """Replaced by a newer image, too old, or a stamp that went back within the tolerance."""
    dropped_bad: int
    unwanted: int
    """Arrived while nobody listened, or while disabled."""
    foreign: int
    """From another publisher than the one followed."""
    resets: int
    last_reset_reason: str
    rate_in_hz: float
    rate_out_hz: float
    percentiles: dict[str, tuple[float, float, float]]
    """For each stage p50, p95 and maximum over the last frames, ms."""
    since_image_s: float
    since_non_finite_s: float


class Statistics:
    """
    Counts frames and times stages; both threads of the node write to it.

    What a publisher has sent since the first message that arrived is processed +
    dropped_transport + dropped_stale + dropped_bad + unwanted, and what is in flight.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[str] = Counter()
        self._times: deque[FrameTimes] = deque(maxlen=WINDOW_FRAMES)
        self._in: deque[float] = deque(maxlen=1000)
        self._out: deque[float] = deque(maxlen=1000)
        self._last_reset_reason = ''
        self._last_image_s = time.monotonic()
        self._last_non_finite_s = -float('inf')

    def arrive(self, lost: int) -> None:
        """Count a message of the followed publisher, and those lost before it."""
        with self._lock:
            self._counts['dropped_transport'] += lost
            self._last_image_s = time.monotonic()
            self._in.append(self._last_image_s)

    def drop(self, cause: str) -> None:
        """Count a message that ends here: 'stale', 'bad', 'unwanted' or 'foreign'."""
        with self._lock:
            self._counts[cause] += 1

    def process(self, times: FrameTimes, reset_reason: str) -> None:
        """Count a frame that was published."""
        with self._lock:
            self._counts['processed'] += 1
            self._times.append(times)
            self._out.append(time.monotonic())
            if reset_reason:
                self._counts['resets'] += 1
                self._last_reset_reason = reset_reason
            if reset_reason == 'non_finite':
                self._last_non_finite_s = time.monotonic()

    def watch_anew(self) -> None:
        """Let the silence be counted from now on."""
        with self._lock:
            self._last_image_s = time.monotonic()

    def silence_s(self) -> float:
        """Return for how long nothing has arrived, s."""
        with self._lock:
            return time.monotonic() - self._last_image_s

    def snapshot(self) -> Snapshot:
        """Return everything as it is now."""
        with self._lock:
            now_s, counts = time.monotonic(), self._counts
            return Snapshot(
                processed=counts['processed'],
                dropped_transport=counts['dropped_transport'],
                dropped_stale=counts['stale'],
                dropped_bad=counts['bad'],
                unwanted=counts['unwanted'],
                foreign=counts['foreign'],
                resets=counts['resets'],
                last_reset_reason=self._last_reset_reason,
                rate_in_hz=_rate(self._in, now_s),
                rate_out_hz=_rate(self._out, now_s),
                percentiles=_percentiles(self._times),
                since_image_s=now_s - self._last_image_s,
                since_non_finite_s=now_s - self._last_non_finite_s,
            )


def _rate(moments_s: deque[float], now_s: float) -> float:
    recent = [moment for moment in moments_s if now_s - moment <= RATE_WINDOW_S]
    if len(recent) < 2:
        return 0.0
    return (len(recent) - 1) / max(recent[-1] - recent[0], 1e-9)


def _percentiles(times: deque[FrameTimes]) -> dict[str, tuple[float, float, float]]:
    if not times:
        return {}
    table = np.array([[getattr(frame, stage) for stage in STAGES] for frame in times])
    p50, p95, largest = np.percentile(table, (50, 95, 100), axis=0)
    return {
        stage: (float(p50[index]), float(p95[index]), float(largest[index]))
        for index, stage in enumerate(STAGES)
    }
