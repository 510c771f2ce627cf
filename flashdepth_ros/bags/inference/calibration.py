"""`flashdepth calibrate`: fit `depth.scale` once, from a recording with a reference."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
import sys

import numpy as np
from tqdm import tqdm

from flashdepth_ros.bags.frames import Frames, estimate_frames
from flashdepth_ros.bags.reader import BagReader
from flashdepth_ros.bags.scale import RecordedScale
from flashdepth_ros.bags.topics import add_recording
from flashdepth_ros.errors import BagError, ConfigError
from flashdepth_ros.runtime.options import add_settings, settings_from_arguments
from flashdepth_ros.runtime.scale import Samples, ScaleFit, ScaleSettings, fit_samples
from flashdepth_ros.runtime.scale.tracker import thinned
from flashdepth_ros.runtime.settings import create_estimator

_POINTS_MAX = 200_000
"""Of all references together, at most about this many points are fitted."""
_STEADY = 1.2
"""One factor suits a recording whose references differ by less, from the 10 to the 90 % one."""


@dataclass
class Calibration:
    """The samples of a recording by reference."""

    stamps_ns: list[int] = field(default_factory=list)
    parts: list[Samples] = field(default_factory=list)

    def add(self, stamp_ns: int, samples: Samples) -> None:
        """Keep the samples of a reference."""
        self.stamps_ns.append(stamp_ns)
        self.parts.append(thinned(samples))

    def fit(self) -> ScaleFit:
        """Return the fit to all references together; InputError: there is none."""
        step = max(1, sum(map(len, self.parts)) // _POINTS_MAX)
        return fit_samples(Samples.joined(self.parts[::step]))

    def spread(self) -> tuple[float, float]:
        """Return the scale that 10 % and that 90 % of the references stay below."""
        factors = [fit_samples(each).scale.factor for each in self.parts]
        low, high = np.quantile(factors, (0.1, 0.9))
        return float(low), float(high)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `run` reads."""
    add_recording(parser)
    parser.add_argument(
        '--scale-from',
        default='',
        metavar='TOPIC',
        help='the reference (default: the only depth topic)',
    )
    add_settings(parser, ScaleSettings)


def run(arguments: argparse.Namespace) -> int:
    """
    Fit the scale, and print the line for the parameter file and how good it is.

    :raises FlashDepthError: the recording cannot be used, or nothing in it agrees on a scale.
    """
    settings = settings_from_arguments(arguments, ScaleSettings)
    if settings.scale_model != 'scale':
        raise ConfigError(
            'depth.scale is one factor without a shift; let the node fit both: scale.source with '
            'scale.model scale_shift'
        )
    calibration = _collect(arguments, settings)
    fit = calibration.fit()
    sys.stdout.writelines(f'{line}\n' for line in _describe(calibration, fit))
    if fit.inliers < settings.scale_min_inliers:
        raise BagError(
            f'{arguments.bag}: too few points agree on one scale ({100 * fit.inliers:.0f} %, '
            f'--scale-min-inliers is {settings.scale_min_inliers:g}): do not use it'
        )
    return 0


def _collect(arguments: argparse.Namespace, settings: ScaleSettings) -> Calibration:
    calibration = Calibration()
    with BagReader(arguments.bag) as bag, BagReader(arguments.bag) as other:
        frames = Frames(
            bag,
            arguments.topic,
            arguments.info_topic,
            bits=settings.image_bits,
            rectified=settings.camera_rectified,
        )
        scale = RecordedScale(other, settings, arguments.scale_from, calibration.add)
        estimates = estimate_frames(frames, create_estimator(settings))
        bar = tqdm(estimates, total=len(frames), unit='frame', file=sys.stderr)
        for frame, depth in bar:
            scale.observe(frame, depth)
        if not any(map(len, calibration.parts)):
            cause = scale.problem or 'no reference has points in range'
            raise BagError(f'{arguments.bag}: {cause}')
    return calibration


def _describe(calibration: Calibration, fit: ScaleFit) -> list[str]:
    duration_s = (max(calibration.stamps_ns) - min(calibration.stamps_ns)) * 1e-9
    low, high = calibration.spread()
    lines = [
        f'depth.scale: {fit.scale.factor:.4g}',
        f'# {fit.samples} points of {len(calibration.parts)} references in {duration_s:.1f} s; '
        f'{100 * fit.inliers:.0f} % are within 25 %, and differ by {100 * fit.residual:.1f} % in '
        'the median',
        f'# over the recording: {low:.4g} to {high:.4g} (80 % of the references)',
    ]
    if high > _STEADY * low:
        lines.append('# the scale varies: scale.source in the node follows it')
    return lines
