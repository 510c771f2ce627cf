"""The bare estimator, alone in a process of its own: what the node's benchmark compares with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
import json
import sys
import time

import numpy as np
import numpy.typing as npt

from flashdepth_ros.runtime import DepthEstimator, DepthFrame
from flashdepth_ros.tools.benchmark.subject import PRELOADED, Subject, images

FRAMES_MIN = 5
_PERIOD_NS = 33_000_000


@dataclass(frozen=True)
class Bare:
    """What the estimator does when nothing else runs."""

    frames: int
    mean_frame_rate: float
    """Frames per second."""
    frame_ms_p50: float
    inference_ms_p50: float
    cpu_ms: float
    """CPU time of a frame, all threads together."""


def measure(subject: Subject, seconds: float) -> Bare:
    """Estimate preloaded images one after the other for some time, after a warm-up."""
    estimator = DepthEstimator(
        subject.model,
        subject.weights,
        subject.device,
        subject.precision,
        subject.engine,
        short_side=subject.short_side,
    )
    estimator.warm_up(subject.height, subject.width)
    # As in the node: OpenMP lets the threads behind another than the main one wait differently.
    with ThreadPoolExecutor(max_workers=1) as inference:
        return inference.submit(_measure, estimator, images(subject), seconds).result()


def _measure(estimator: DepthEstimator, preloaded: npt.NDArray[np.uint8], seconds: float) -> Bare:
    for index, rgb in enumerate(preloaded[:3]):
        estimator.estimate(rgb, index * _PERIOD_NS)
    frames: list[DepthFrame] = []
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    ends_s = [start_s]
    while len(frames) < FRAMES_MIN or ends_s[-1] - start_s < seconds:
        rgb = preloaded[len(frames) % PRELOADED]
        frames.append(estimator.estimate(rgb, (len(frames) + 3) * _PERIOD_NS))
        ends_s.append(time.perf_counter())
    return Bare(
        frames=len(frames),
        mean_frame_rate=len(frames) / (ends_s[-1] - start_s),
        frame_ms_p50=1e3 * float(np.median(np.diff(ends_s))),
        inference_ms_p50=float(np.median([frame.times.inference_ms for frame in frames])),
        cpu_ms=1e3 * (time.process_time() - start_cpu_s) / len(frames),
    )


def main() -> int:
    """Measure the subject given as JSON for the seconds given, and write JSON."""
    subject, seconds = Subject(**json.loads(sys.argv[1])), float(sys.argv[2])
    sys.stdout.write(json.dumps(asdict(measure(subject, seconds))) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
