"""`flashdepth bench --infer`: what reading and writing cost `infer`, and whether memory stays."""

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

from flashdepth_ros.bags.camera import Camera, CameraFrame, with_field_of_view
from flashdepth_ros.bags.frames import Frame, Frames
from flashdepth_ros.bags.inference.run import InferOptions, infer
from flashdepth_ros.bags.reader import BagReader
from flashdepth_ros.bags.sample import sample_recording
from flashdepth_ros.bags.writer import BagWriter
from flashdepth_ros.errors import BagError, ConfigError
from flashdepth_ros.runtime import DepthFrame
from flashdepth_ros.runtime.benchmark import parse_size
from flashdepth_ros.runtime.memory import resident_bytes
from flashdepth_ros.runtime.options import add_settings, settings_of
from flashdepth_ros.runtime.settings import Settings, create_estimator

_PRELOADED = 32
_BARE_MAX = 100
_WARM = 3
"""So many frames are not timed."""
_STEP_NS = 33_000_000
_FOV_DEG = 70.0
_SETTLED = 0.1
"""From this share of the frames on, memory is watched."""


@dataclass
class Watch:
    """Notes when frames are done and how much memory is held then."""

    times_s: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)

    def see(self, _: DepthFrame) -> None:
        """Note that a frame is done."""
        self.times_s.append(time.perf_counter())
        self.resident.append(resident_bytes())

    @property
    def rate(self) -> float:
        """Return the frames per second by the median frame, the first few not counted."""
        return 1 / float(np.median(np.diff(self.times_s[_WARM:])))

    @property
    def growth(self) -> tuple[int, float]:
        """Return by how much memory grew once it had settled, in bytes and as a share."""
        settled = max(self.resident[: 1 + int(_SETTLED * len(self.resident))])
        grown = max(self.resident) - settled
        return grown, grown / settled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument('--bag', type=Path, help='recording to infer from (default: the sample)')
    what.add_argument('--frames', type=int, help='or one made up of so many frames')
    parser.add_argument('--size', default='640x480', metavar='WxH', help='of --frames, px')
    add_settings(parser)


def run(arguments: argparse.Namespace) -> int:
    """
    Measure, and print the table.

    :raises FlashDepthError: the recording cannot be used, or is too short.
    """
    settings = settings_of(arguments)
    with TemporaryDirectory(prefix='flashdepth-') as name:
        folder = Path(name)
        bag = arguments.bag or sample_recording()
        if arguments.frames is not None:
            bag = _made_up(folder / 'made_up', arguments.frames, parse_size(arguments.size))
        for line in measure(bag, folder / 'depth', settings):
            sys.stdout.write(f'{line}\n')
    return 0


def measure(bag: Path, output: Path, settings: Settings) -> Iterator[str]:
    """
    Yield the lines of the table: the bare estimator, `infer`, the bare estimator again.

    :raises BagError: the recording cannot be used, or is too short.
    """
    with BagReader(bag) as reader:
        frames = Frames(reader)
        count, preloaded = len(frames), list(islice(frames, _PRELOADED))
    if len(preloaded) < 2 * _WARM:
        raise BagError(f'{bag}: {len(preloaded)} frames are too few; give at least {2 * _WARM}')
    bare_count = min(count, _BARE_MAX)
    before = _bare(preloaded, bare_count, settings)
    watch = Watch()
    outcome = infer(InferOptions(bag, output, settings), watch.see)
    if outcome.stopped:
        raise BagError(f'no figures, infer was stopped: {outcome.stopped}')
    after = _bare(preloaded, bare_count, settings)
    bare_rate = (before.rate + after.rate) / 2
    both = f'{before.rate:.2f} before, {after.rate:.2f} after'
    height, width = preloaded[0].rgb.shape[:2]
    grown, share = watch.growth
    yield f'{settings.model}, {len(watch.times_s)} frames of {width}x{height}'
    yield f'{"bare estimator":16} {bare_rate:8.2f} frames/s ({both})'
    yield f'{"infer":16} {watch.rate:8.2f} frames/s, {100 * watch.rate / bare_rate:5.1f} %'
    yield f'{"memory":16} {watch.resident[-1] / 2**20:8.0f} MiB'
    yield f'{"memory, growth":16} {grown / 2**20:8.1f} MiB, {100 * share:.2f} %'


def _bare(preloaded: list[Frame], count: int, settings: Settings) -> Watch:
    """Estimate preloaded frames over and over, in a thread of its own as `infer` does."""
    watch = Watch()

    def estimate() -> None:
        estimator = create_estimator(settings)
        for index, frame in enumerate(islice(cycle(preloaded), count)):
            watch.see(estimator.estimate(frame.rgb, index * _STEP_NS))

    with ThreadPoolExecutor(max_workers=1) as inference:
        inference.submit(estimate).result()
    return watch


def _made_up(path: Path, frames: int, size: tuple[int, int]) -> Path:
    """Write a recording of one blurred picture that moves, raw."""
    if frames < 1:
        raise ConfigError(f'{frames} frames; expected 1 or more')
    width, height = size
    camera = Camera(with_field_of_view(width, height, _FOV_DEG))
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    picture = np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    with BagWriter(path) as bag:
        for index in range(frames):
            rgb = np.roll(picture, index, axis=1)
            for record in camera.records(CameraFrame(index * _STEP_NS, rgb)):
                bag.write_cdr(record.topic, record.type, record.data, record.stamp_ns)
    return path
