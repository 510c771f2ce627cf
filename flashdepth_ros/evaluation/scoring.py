"""Scores of a frame, and of a pair of consecutive frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flashdepth_ros import metrics
from flashdepth_ros.camera.geometry import Float32, Float64, Intrinsics
from flashdepth_ros.camera.sampling import stride_for, subsample, subsampled_intrinsics
from flashdepth_ros.evaluation.protocol import Protocol
from flashdepth_ros.evaluation.results import RangeErrors

_EDGES_M = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)


@dataclass(frozen=True)
class DepthPair:
    """Predicted and true depth (H, W) of a frame in metres, NaN unknown, and the camera pose."""

    depth: Float32
    truth: Float32
    pose: Float64 | None
    run: int = 0
    """Run of the clock; frames of two runs are not consecutive."""


@dataclass(frozen=True)
class Scorer:
    """
    Compute the scores of the frames of one bag.

    :param camera: intrinsics of the maps; None: no temporal alignment error.
    :param dense: whether neighbouring pixels have ground truth. Without it there is no boundary
        score, and the ground truth cannot be used to find occluded pixels.
    """

    protocol: Protocol
    shape: tuple[int, int]
    camera: Intrinsics | None
    dense: bool

    def frame_scores(self, current: DepthPair) -> dict[str, float]:
        """Return the scores of a single frame; NaN if nothing can be compared."""
        valid = metrics.valid_pixels(current.depth, current.truth)
        depth, truth = current.depth[valid], current.truth[valid]
        scores = {
            'abs_rel': metrics.abs_rel(depth, truth),
            'rmse': metrics.rmse(depth, truth),
            **{f'delta{n}': metrics.delta(depth, truth, power=n) for n in (1, 2, 3)},
            'boundary_f1': np.nan,
        }
        if self.dense:
            scores['boundary_f1'] = metrics.boundary_f1(current.depth, current.truth)
        return scores

    def temporal_scores(self, previous: DepthPair, current: DepthPair) -> dict[str, float]:
        """Return the scores of a frame and the one before it; none if another run began."""
        if previous.run != current.run:
            return {}
        flicker = metrics.flicker(
            np.stack([previous.depth, current.depth]), np.stack([previous.truth, current.truth])
        )
        return {'flicker': flicker, 'tae': self.tae(previous, current)}

    def tae(self, previous: DepthPair, current: DepthPair) -> float:
        """Return the temporal alignment error on subsampled maps; NaN without poses or camera."""
        if self.camera is None or previous.pose is None or current.pose is None:
            return np.nan
        stride = stride_for(self.shape, self.protocol.motion_pixels_max)
        depths, truths = (
            np.stack([subsample(getattr(each, name), stride) for each in (previous, current)])
            for name in ('depth', 'truth')
        )
        return metrics.tae(
            depths,
            np.stack([previous.pose, current.pose]),
            subsampled_intrinsics(self.camera, stride),
            truth=truths if self.dense else None,
        )

    def range_errors(self, current: DepthPair) -> RangeErrors:
        """Return the errors of a frame by range of true depth."""
        errors = RangeErrors.empty(self.edges_m)
        valid = metrics.valid_pixels(current.depth, current.truth)
        depth, truth = (a[valid].astype(np.float64) for a in (current.depth, current.truth))
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
        """Return the edges of the ranges of true depth, within the limits."""
        nearest, farthest = self.protocol.depth_min_m, self.protocol.depth_max_m
        between = [edge for edge in _EDGES_M if nearest < edge < farthest]
        return (nearest, *between, farthest)
