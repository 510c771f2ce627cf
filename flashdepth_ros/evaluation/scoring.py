"""The figures of a frame, and of a frame with the one before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flashdepth_ros import metrics
from flashdepth_ros.camera.geometry import Float32, Float64, Intrinsics
from flashdepth_ros.camera.sampling import stride_within, thinned, thinned_intrinsics
from flashdepth_ros.evaluation.protocol import Protocol
from flashdepth_ros.evaluation.results import RangeErrors

_EDGES_M = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)


@dataclass(frozen=True)
class Instant:
    """A frame as it is judged: depth and truth (H, W) in metres, NaN unknown, and the pose."""

    depth: Float32
    truth: Float32
    pose: Float64 | None


@dataclass(frozen=True)
class Scorer:
    """
    Scores the frames of one bag.

    :param camera: of the maps; None: no temporal alignment error.
    :param dense: whether neighbouring pixels have truth; else there are no boundaries in it, and
        it cannot tell what is hidden from the other frame.
    """

    protocol: Protocol
    shape: tuple[int, int]
    camera: Intrinsics | None
    dense: bool

    def frame(self, now: Instant) -> dict[str, float]:
        """Return the scores of a frame by itself; NaN where nothing can be compared."""
        valid = metrics.valid_pixels(now.depth, now.truth)
        depth, truth = now.depth[valid], now.truth[valid]
        scores = {
            'abs_rel': metrics.abs_rel(depth, truth),
            'rmse': metrics.rmse(depth, truth),
            **{f'delta{n}': metrics.delta(depth, truth, power=n) for n in (1, 2, 3)},
            'boundary_f1': np.nan,
        }
        if self.dense:
            scores['boundary_f1'] = metrics.boundary_f1(now.depth, now.truth)
        return scores

    def step(self, before: Instant, now: Instant) -> dict[str, float]:
        """Return the scores of a frame against the one before it."""
        flicker = metrics.flicker(
            np.stack([before.depth, now.depth]), np.stack([before.truth, now.truth])
        )
        return {'flicker': flicker, 'tae': self.tae(before, now)}

    def tae(self, before: Instant, now: Instant) -> float:
        """Return the temporal alignment error on thinned maps; NaN without poses or a camera."""
        if self.camera is None or before.pose is None or now.pose is None:
            return np.nan
        stride = stride_within(self.shape, self.protocol.motion_pixels_max)
        depths, truths = (
            np.stack([thinned(getattr(each, name), stride) for each in (before, now)])
            for name in ('depth', 'truth')
        )
        return metrics.tae(
            depths,
            np.stack([before.pose, now.pose]),
            thinned_intrinsics(self.camera, stride),
            truth=truths if self.dense else None,
        )

    def range_errors(self, now: Instant) -> RangeErrors:
        """Return the errors of a frame by true depth."""
        errors = RangeErrors.empty(self.edges_m)
        valid = metrics.valid_pixels(now.depth, now.truth)
        depth, truth = (a[valid].astype(np.float64) for a in (now.depth, now.truth))
        bins = np.searchsorted(np.array(self.edges_m), truth, side='right') - 1
        bins = bins.clip(0, len(self.edges_m) - 2)
        within = np.maximum(depth / truth, truth / depth) < 1.25
        for sums, weights in (
            (errors.pixels, None),
            (errors.error, np.abs(depth - truth) / truth),
            (errors.within, within),
        ):
            sums += np.bincount(bins, weights, len(sums))
        return errors

    @property
    def edges_m(self) -> tuple[float, ...]:
        """Return where the ranges of true depth end, within the limits."""
        nearest, farthest = self.protocol.depth_min_m, self.protocol.depth_max_m
        between = [edge for edge in _EDGES_M if nearest < edge < farthest]
        return (nearest, *between, farthest)
