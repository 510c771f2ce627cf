"""Frame counts and stage times of the node; no ROS."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from threading import Lock
import time

import numpy as np

WINDOW_FRAMES = 300
RATE_WINDOW_S = 5.0
_EVENTS = 1000
"""The number of images whose times are kept."""
_IN_PROGRESS_MAX = 4
"""More images cannot wait, be estimated and be published at the same time."""
_ENDS = ('processed', 'replaced', 'old', 'back', 'bad', 'failed', 'unwanted')
"""What becomes of an image of the followed publisher."""


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """Durations of the stages of one frame, ms."""

    transport_ms: float
    wait_ms: float
    decode_ms: float
    preprocess_ms: float
    inference_ms: float
    postprocess_ms: float
    publish_ms: float
    age_ms: float
    """Age of the image (now minus its header stamp) after the last output was published."""


STAGES = tuple(each.name for each in fields(FrameTimes))


@dataclass(frozen=True)
class Snapshot:
    """A copy of the statistics at one point in time."""

    processed: int
    dropped_transport: int
    """Lost in transport, before the node received them."""
    dropped_stale: int
    """The causes 'replaced', 'old' and 'back'."""
    dropped_bad: int
    """The causes 'bad' and 'failed'."""
    unwanted: int
    """Received while no output had a subscriber, or while the node was disabled."""
    foreign: int
    """Sent by a publisher other than the followed one."""
    resets: int
    last_reset_reason: str
    rate_in_hz: float
    """Of the images received in the last `RATE_WINDOW_S`, without those in progress."""
    rate_out_hz: float
    """Of those of the same images that were published."""
    percentiles: dict[str, tuple[float, float, float]]
    """p50, p95 and maximum of each stage over the last frames, ms."""
    recent_drops: Mapping[str, int]
    """Images dropped in the last `RATE_WINDOW_S`, by cause; 'transport' are those lost there."""
    recent_arrivals: int
    """Images received in the same time."""
    drop_reasons: Mapping[str, str]
    """Why the last image of each cause was dropped."""
    last_bad_reason: str
    since_image_s: float
    since_non_finite_s: float


class Statistics:
    """
    Counts frames and records stage times; safe to use from several threads.

    The number of messages sent since the first one received is processed + dropped_transport +
    dropped_stale + dropped_bad + unwanted + those in progress.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[str] = Counter()
        self._times: deque[FrameTimes] = deque(maxlen=WINDOW_FRAMES)
        self._in: deque[float] = deque(maxlen=_EVENTS)
        self._out: deque[float] = deque(maxlen=_EVENTS)
        """When the published images were received."""
        self._last_processed_s = 0.0
        self._drops: deque[tuple[float, str, int]] = deque(maxlen=_EVENTS)
        self._drop_reasons: dict[str, str] = {}
        self._last_bad_reason = ''
        self._last_reset_reason = ''
        self._last_image_s = time.monotonic()
        self._last_non_finite_s = -float('inf')

    def count_arrival(self, lost: int) -> None:
        """Count a message of the followed publisher, and the messages lost before it."""
        with self._lock:
            self._last_image_s = time.monotonic()
            self._in.append(self._last_image_s)
            self._counts['received'] += 1
            if lost:
                self._drop('transport', lost)

    def count_drop(self, cause: str, reason: str = '') -> None:
        """
        Count a message that is not processed.

        :param cause: 'replaced' (by a newer one), 'old' (its stamp), 'back' (its stamp went back
            within the tolerance), 'bad' (the image), 'failed' (the node), 'unwanted' or 'foreign'.
        :param reason: details for the user.
        """
        with self._lock:
            self._drop(cause, 1)
            self._drop_reasons[cause] = reason
            if cause in ('bad', 'failed'):
                self._last_bad_reason = reason

    def count_processed(
        self, times: FrameTimes, reset_reason: str, since_received_s: float
    ) -> None:
        """Count a published frame and record its times."""
        with self._lock:
            self._counts['processed'] += 1
            self._times.append(times)
            self._last_processed_s = time.monotonic()
            self._out.append(self._last_processed_s - since_received_s)
            if reset_reason:
                self._counts['resets'] += 1
                self._last_reset_reason = reset_reason
            if reset_reason == 'non_finite':
                self._last_non_finite_s = time.monotonic()

    def _drop(self, cause: str, count: int) -> None:
        self._counts[cause] += count
        self._drops.append((time.monotonic(), cause, count))

    @property
    def last_processed_s(self) -> float:
        """When the last frame was published, by `time.monotonic`; 0 before the first one."""
        with self._lock:
            return self._last_processed_s

    def restart_image_timer(self) -> None:
        """Measure the time without images from now on."""
        with self._lock:
            self._last_image_s = time.monotonic()

    def since_image_s(self) -> float:
        """Return the time since the last image, s."""
        with self._lock:
            return time.monotonic() - self._last_image_s

    def snapshot(self) -> Snapshot:
        """Return the current statistics."""
        with self._lock:
            now_s, counts = time.monotonic(), self._counts
            rate_in_hz, rate_out_hz = self._rates(now_s)
            return Snapshot(
                processed=counts['processed'],
                dropped_transport=counts['transport'],
                dropped_stale=counts['replaced'] + counts['old'] + counts['back'],
                dropped_bad=counts['bad'] + counts['failed'],
                unwanted=counts['unwanted'],
                foreign=counts['foreign'],
                resets=counts['resets'],
                last_reset_reason=self._last_reset_reason,
                rate_in_hz=rate_in_hz,
                rate_out_hz=rate_out_hz,
                percentiles=_percentiles(self._times),
                recent_drops=_recent_drops(self._drops, now_s),
                recent_arrivals=len(_recent(self._in, now_s)),
                drop_reasons=dict(self._drop_reasons),
                last_bad_reason=self._last_bad_reason,
                since_image_s=now_s - self._last_image_s,
                since_non_finite_s=now_s - self._last_non_finite_s,
            )

    def _rates(self, now_s: float) -> tuple[float, float]:
        """
        Return the rates of the images received lately and of those of them that were published.

        Both are of the same images, so that the second is at most the first: from the first one
        that was published, before which images may not have been needed, to the last one that is
        not in progress.
        """
        open_ends = self._counts['received'] - sum(self._counts[end] for end in _ENDS)
        received = _recent(self._in, now_s)
        settled = received[: len(received) - min(max(open_ends, 0), _IN_PROGRESS_MAX)]
        published = [moment_s for moment_s in self._out if settled and moment_s >= settled[0]]
        if published:
            settled = settled[bisect_right(settled, published[0]) - 1 :]
        if len(settled) < 2:
            return 0.0, 0.0
        span_s = max(settled[-1] - settled[0], 1e-9)
        intervals = max(min(len(published), len(settled)) - 1, 0)
        return (len(settled) - 1) / span_s, intervals / span_s


def _recent(moments_s: Iterable[float], now_s: float) -> list[float]:
    return [moment for moment in moments_s if now_s - moment <= RATE_WINDOW_S]


def _recent_drops(drops: Iterable[tuple[float, str, int]], now_s: float) -> dict[str, int]:
    recent: Counter[str] = Counter()
    for moment_s, cause, count in drops:
        if now_s - moment_s <= RATE_WINDOW_S:
            recent[cause] += count
    return dict(recent)


def _percentiles(times: deque[FrameTimes]) -> dict[str, tuple[float, float, float]]:
    if not times:
        return {}
    table = np.array([[getattr(frame, stage) for stage in STAGES] for frame in times])
    p50, p95, largest = np.percentile(table, (50, 95, 100), axis=0)
    return {
        stage: (float(p50[index]), float(p95[index]), float(largest[index]))
        for index, stage in enumerate(STAGES)
    }
