"""`flashdepth bench --infer`: the cost of reading and writing bags, and the memory growth."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
import sys
from tempfile import TemporaryDirectory
import time

import cv2
import numpy as np

from flashdepth_ros.bags.camera import Camera, CameraFrame, intrinsics_from_fov
from flashdepth_ros.bags.frames import Frame, Frames
from flashdepth_ros.bags.inference.run import InferOptions, infer
from flashdepth_ros.bags.reader import BagReader
from flashdepth_ros.bags.sample import sample_recording
from flashdepth_ros.bags.writer import BagWriter
from flashdepth_ros.errors import BagError, ConfigError
from flashdepth_ros.runtime import DepthFrame
from flashdepth_ros.runtime.benchmark import parse_size
from flashdepth_ros.runtime.memory import resident_bytes
from flashdepth_ros.runtime.options import add_settings, settings_from_arguments
from flashdepth_ros.runtime.scale import ScaleSettings
from flashdepth_ros.runtime.settings import create_estimator

_PRELOADED = 32
_ESTIMATOR_FRAMES_MAX = 100
_WARM_UP_FRAMES = 3
"""The number of first frames that are not timed."""
_STEP_NS = 33_000_000
_FOV_DEG = 70.0
_SETTLING_SHARE = 0.1
"""The share of the frames, at the start, whose memory use is the reference for its growth."""


@dataclass
class FrameLog:
    """The time and the resident memory at the end of each frame."""

    times_s: list[float] = field(default_factory=list)
    memory_bytes: list[int] = field(default_factory=list)

    def add(self, _: DepthFrame) -> None:
        """Record the end of a frame."""
        self.times_s.append(time.perf_counter())
        self.memory_bytes.append(resident_bytes())

    @property
    def rate_hz(self) -> float:
        """Return the frame rate from the median frame time, without the warm-up frames."""
        return 1 / float(np.median(np.diff(self.times_s[_WARM_UP_FRAMES:])))

    @property
    def memory_growth(self) -> tuple[int, float]:
        """Return the growth of memory after it has settled, in bytes and as a share."""
        settled = max(self.memory_bytes[: 1 + int(_SETTLING_SHARE * len(self.memory_bytes))])
        growth = max(self.memory_bytes) - settled
        return growth, growth / settled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `run` reads."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--bag', type=Path, help='recording to use (default: the sample)')
    source.add_argument(
        '--frames', type=int, help='use a synthetic recording with this number of frames'
    )
    parser.add_argument(
        '--size', default='640x480', metavar='WxH', help='image size of --frames, px'
    )
    add_settings(parser)


def run(arguments: argparse.Namespace) -> int:
    """
    Measure and print the table.

    :raises FlashDepthError: the recording cannot be used or is too short.
    """
    settings = settings_from_arguments(arguments, ScaleSettings)
    with TemporaryDirectory(prefix='flashdepth-') as name:
        folder = Path(name)
        bag = arguments.bag or sample_recording()
        if arguments.frames is not None:
            size = parse_size(arguments.size)
            bag = _write_synthetic_bag(folder / 'synthetic', arguments.frames, size)
        for line in measure(bag, folder / 'depth', settings):
            sys.stdout.write(f'{line}\n')
    return 0


def measure(bag: Path, output: Path, settings: ScaleSettings) -> Iterator[str]:
    """
    Yield the lines of the table; the estimator alone is measured before and after `infer`.

    :raises BagError: the recording cannot be used or is too short.
    """
    with BagReader(bag) as reader:
        frames = Frames(reader)
        count, preloaded = len(frames), list(islice(frames, _PRELOADED))
    if len(preloaded) < 2 * _WARM_UP_FRAMES:
        raise BagError(
            f'{bag}: {len(preloaded)} frames are too few; give at least {2 * _WARM_UP_FRAMES}'
        )
    estimator_count = min(count, _ESTIMATOR_FRAMES_MAX)
    before = _measure_estimator(preloaded, estimator_count, settings)
    log = FrameLog()
    outcome = infer(InferOptions(bag, output, settings), log.add)
    if outcome.stopped:
        raise BagError(f'no results, inference stopped early: {outcome.stopped}')
    after = _measure_estimator(preloaded, estimator_count, settings)
    estimator_hz = (before.rate_hz + after.rate_hz) / 2
    both = f'{before.rate_hz:.2f} before, {after.rate_hz:.2f} after'
    height, width = preloaded[0].rgb.shape[:2]
    growth, share = log.memory_growth
    yield f'{settings.model}, {len(log.times_s)} frames of {width}x{height}'
    yield f'{"estimator alone":16} {estimator_hz:8.2f} frames/s ({both})'
    yield f'{"infer":16} {log.rate_hz:8.2f} frames/s, {100 * log.rate_hz / estimator_hz:5.1f} %'
    yield f'{"memory":16} {log.memory_bytes[-1] / 2**20:8.0f} MiB'
    yield f'{"memory growth":16} {growth / 2**20:8.1f} MiB, {100 * share:.2f} %'


def _measure_estimator(preloaded: list[Frame], count: int, settings: ScaleSettings) -> FrameLog:
    """Estimate preloaded frames repeatedly, in a separate thread as `infer` does."""
    log = FrameLog()

    def estimate() -> None:
        estimator = create_estimator(settings)
        for index, frame in enumerate(islice(cycle(preloaded), count)):
            log.add(estimator.estimate(frame.rgb, index * _STEP_NS))

    with ThreadPoolExecutor(max_workers=1) as inference:
        inference.submit(estimate).result()
    return log


def _write_synthetic_bag(path: Path, frames: int, size: tuple[int, int]) -> Path:
    """Write a recording of raw images that show one moving blurred pattern."""
    if frames < 1:
        raise ConfigError(f'{frames} frames; expected 1 or more')
    width, height = size
    camera = Camera(intrinsics_from_fov(width, height, _FOV_DEG))
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    pattern = np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    with BagWriter(path) as bag:
        for index in range(frames):
            rgb = np.roll(pattern, index, axis=1)
            for record in camera.records(CameraFrame(index * _STEP_NS, rgb)):
                bag.write_cdr(record.topic, record.type, record.data, record.stamp_ns)
    return path
