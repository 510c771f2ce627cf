"""Measure the estimator alone, without ROS, in its own process: the benchmark's reference."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
import json
import sys
import time

import numpy as np
import numpy.typing as npt

from flashdepth_ros.entry_point import run_process
from flashdepth_ros.runtime import DepthEstimator, DepthFrame
from flashdepth_ros.tools.benchmark.config import IMAGES, BenchmarkConfig, create_images

FRAMES_MIN = 5
_WARM_UP_FRAMES = 3
_PERIOD_NS = 33_000_000


@dataclass(frozen=True)
class EstimatorResult:
    """The speed of the estimator when nothing else runs."""

    frames: int
    mean_frame_rate: float
    """Frames per second."""
    frame_ms_p50: float
    inference_ms_p50: float
    cpu_ms: float
    """CPU time of a frame, summed over all threads."""


def measure(config: BenchmarkConfig, seconds: float) -> EstimatorResult:
    """Estimate preloaded images one after the other for some time, after a warm-up."""
    estimator = DepthEstimator(
        config.model,
        config.weights,
        config.device,
        config.precision,
        config.engine,
        short_side=config.short_side,
    )
    estimator.warm_up(config.height, config.width)
    # In a separate thread, as in the node: OpenMP threads wait differently for the main thread.
    with ThreadPoolExecutor(max_workers=1) as inference:
        return inference.submit(_measure, estimator, create_images(config), seconds).result()


def _measure(
    estimator: DepthEstimator, images: npt.NDArray[np.uint8], seconds: float
) -> EstimatorResult:
    for index, rgb in enumerate(images[:_WARM_UP_FRAMES]):
        estimator.estimate(rgb, index * _PERIOD_NS)
    frames: list[DepthFrame] = []
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    ends_s = [start_s]
    while len(frames) < FRAMES_MIN or ends_s[-1] - start_s < seconds:
        rgb = images[len(frames) % IMAGES]
        frames.append(estimator.estimate(rgb, (len(frames) + _WARM_UP_FRAMES) * _PERIOD_NS))
        ends_s.append(time.perf_counter())
    return EstimatorResult(
        frames=len(frames),
        mean_frame_rate=len(frames) / (ends_s[-1] - start_s),
        frame_ms_p50=1e3 * float(np.median(np.diff(ends_s))),
        inference_ms_p50=float(np.median([frame.times.inference_ms for frame in frames])),
        cpu_ms=1e3 * (time.process_time() - start_cpu_s) / len(frames),
    )


def main() -> int:
    """Read a configuration (JSON) and a duration in seconds, and print the result as JSON."""
    config, seconds = BenchmarkConfig(**json.loads(sys.argv[1])), float(sys.argv[2])
    sys.stdout.write(json.dumps(asdict(measure(config, seconds))) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(run_process('estimator', main))
