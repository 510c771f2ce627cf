"""Follow the scale of a stream over time: a fit to the last seconds, bounded in its changes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from flashdepth_ros.errors import InputError
from flashdepth_ros.runtime.scale.fit import INLIER_RATIO, Samples, Scale, ScaleFit, fit_samples
from flashdepth_ros.runtime.scale.settings import ScaleSettings

START_PAIRS = 3
"""The number of references after which a new sequence gets its scale."""
REPORTED = 1.05
"""A change of the metres at once by more than this factor is reported."""
_SAMPLES_MAX = 150
"""Samples kept of one reference."""
_PAIRS_MAX = 40
"""References kept: of more in the window, the last ones."""
_STEP_S_MAX = 1.0
"""After a pause, the scale may change by as much as in this time."""


@dataclass(frozen=True)
class _Pair:
    stamp_ns: int
    samples: Samples


class ScaleTracker:
    """
    Fits one scale to the samples of the last `scale.window`, and follows it.

    The scale changes by at most `scale.max_rate` a second. It jumps when the first fit is there,
    when the first fit of a new sequence is there, and when most samples of the window disagree
    with it by more than 25 %. Until a fit is there, the last scale is kept.
    """

    def __init__(self) -> None:
        self.scale: Scale | None = None
        """None before the first fit."""
        self.fit: ScaleFit | None = None
        """The last accepted fit."""
        self.stamp_ns = 0
        """Of the reference of the last accepted fit."""
        self._pairs: deque[_Pair] = deque(maxlen=_PAIRS_MAX)
        self._settled = False

    def restart(self) -> None:
        """Begin a new sequence: forget its samples, and keep the scale until the next fit."""
        self._pairs.clear()
        self._settled = False

    def add(self, stamp_ns: int, samples: Samples, settings: ScaleSettings) -> float:
        """
        Add the samples of a reference; return the factor by which metres jumped, 1 if not.

        :raises InputError: no fit is possible, or too few samples agree with it; the scale stays.
        """
        if len(samples) < settings.scale_min_points:
            raise InputError(
                f'too few points: {len(samples)} of the reference are in the image and in range, '
                f'scale.min_points is {settings.scale_min_points}'
            )
        own = fit_samples(samples)
        if settings.scale_model == 'scale':
            _check_inliers(own, settings)
        self._pairs.append(_Pair(stamp_ns, thinned(samples)))
        window_ns = settings.scale_window * 1e9
        while stamp_ns - self._pairs[0].stamp_ns > window_ns:
            self._pairs.popleft()
        if not self._settled and len(self._pairs) < START_PAIRS:
            return 1.0
        pooled = Samples.joined([pair.samples for pair in self._pairs])
        fit = fit_samples(pooled, settings.scale_model)
        _check_inliers(fit, settings)
        elapsed_s = min(max((stamp_ns - self.stamp_ns) * 1e-9, 0.0), _STEP_S_MAX)
        self.fit, self.stamp_ns = fit, stamp_ns
        previous = self.scale or settings.start_scale
        if previous is None:
            self.scale, self._settled = fit.scale, True
            return 1.0
        return self._follow(previous, pooled, elapsed_s * settings.scale_max_rate)

    def _follow(self, previous: Scale, samples: Samples, step: float) -> float:
        """Change the scale towards that of the fit; return the factor of a jump, else 1."""
        assert self.fit is not None
        target, settled, self._settled = self.fit.scale, self._settled, True
        levels = np.quantile(samples.predicted, (0.1, 0.5, 0.9)).astype(np.float32)
        with np.errstate(divide='ignore', invalid='ignore'):
            changes = np.log(previous.invert(levels)) - np.log(target.invert(levels))
        # Levels that a shift puts behind infinity have no depth to compare.
        changes = changes[np.isfinite(changes)]
        distance = float(np.abs(changes).max(initial=0.0))
        if not settled or not len(changes) or distance > np.log(INLIER_RATIO):
            self.scale = target
            factor = float(np.exp(np.median(changes))) if len(changes) else 1.0
            return factor if distance > np.log(REPORTED) else 1.0
        share = min(1.0, step / distance) if distance else 1.0
        slope = (1 - share) / previous.factor + share / target.factor
        shift = (1 - share) * previous.shift + share * target.shift
        self.scale = Scale(1 / slope, shift)
        return 1.0


def _check_inliers(fit: ScaleFit, settings: ScaleSettings) -> None:
    if fit.inliers < settings.scale_min_inliers:
        raise InputError(
            f'too few inliers: {100 * fit.inliers:.0f} % of {fit.samples} points are within 25 % '
            f'of the reference, scale.min_inliers is {settings.scale_min_inliers:g}'
        )


def thinned(samples: Samples) -> Samples:
    """Return at most `_SAMPLES_MAX` samples, evenly spread."""
    if len(samples) <= _SAMPLES_MAX:
        return samples
    kept = np.linspace(0, len(samples) - 1, _SAMPLES_MAX).astype(np.intp)
    return Samples(samples.predicted[kept], samples.known[kept])
