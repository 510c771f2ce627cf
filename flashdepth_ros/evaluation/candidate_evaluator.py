"""Evaluation of a candidate: fit the alignments to all frames, then score every frame."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from flashdepth_ros.camera.geometry import Float32, invert
from flashdepth_ros.evaluation.alignment import Fit, fit_all, fit_scale, fit_scale_shift
from flashdepth_ros.evaluation.map_file import MapFile
from flashdepth_ros.evaluation.paired_bag import PairedBag
from flashdepth_ros.evaluation.pictures import frame_pictures
from flashdepth_ros.evaluation.protocol import ALIGNMENTS, Protocol
from flashdepth_ros.evaluation.results import (
    CandidateResult,
    ExampleFrame,
    FrameResult,
    RangeErrors,
)
from flashdepth_ros.evaluation.scoring import DepthPair
from flashdepth_ros.evaluation.time_slices import image_of, prediction_slice
from flashdepth_ros.metrics import Moments, order_accuracy

EXAMPLES = 2
"""Number of best and of worst frames shown of each candidate and bag."""


class CandidateEvaluator:
    """Evaluate one candidate on one bag, from its predictions on disk."""

    def __init__(
        self, paired: PairedBag, predictions: MapFile, result: CandidateResult, protocol: Protocol
    ) -> None:
        self.paired = paired
        self.predictions = predictions
        self.result = result
        self.protocol = protocol
        self._number = paired.numbers()

    def run(self) -> None:
        """Fit the alignments, score every frame, and make the pictures."""
        frames = [frame for frame in self.result.frames if frame.truth_ns is not None]
        moments = [self._moments(frame) for frame in frames]
        self.result.fits = fit_all(sum(moments, Moments()))
        if self.result.relative:
            self.result.fits['none'] = None
        self.result.ranges = RangeErrors.empty(self.paired.scorer.edges_m)
        previous: dict[str, DepthPair] = {}
        for frame, own in zip(frames, moments, strict=True):
            previous = self._score(frame, own, previous)
        scored = {self._number[frame.place]: frame for frame in frames if frame.scores}
        self.result.time_slice = prediction_slice(
            self.paired, lambda number: self._depth(scored.get(number))
        )
        ranked = sorted(frames, key=self._error)
        ranked = [frame for frame in ranked if np.isfinite(self._error(frame))]
        self.result.best = list(self._examples(ranked))
        self.result.worst = list(self._examples(ranked[::-1]))

    def _moments(self, frame: FrameResult) -> Moments:
        inverse, truth = self._maps(frame)
        return Moments.of(inverse, invert(truth))

    def _maps(self, frame: FrameResult) -> tuple[Float32, Float32]:
        number = self._number[frame.place]
        return self.predictions[number], self.paired.truth_maps[number]

    def _score(
        self, frame: FrameResult, own: Moments, previous: dict[str, DepthPair]
    ) -> dict[str, DepthPair]:
        """Score a frame under every alignment; return its depths for the next frame."""
        scorer = self.paired.scorer
        scale = fit_scale(own)
        frame.pixels, frame.own_scale = own.count, np.nan if scale is None else scale.scale
        fits = {**self.result.fits, 'frame': fit_scale_shift(own)}
        inverse, truth = self._maps(frame)
        order = order_accuracy(inverse, invert(truth))
        depths: dict[str, DepthPair] = {}
        for name in ALIGNMENTS:
            fit = fits[name]
            if fit is None:
                continue
            depths[name] = current = self._align(frame, fit)
            scores = {**scorer.frame_scores(current), 'order': order}
            if name in previous:
                scores |= scorer.temporal_scores(previous[name], current)
            frame.scores[name] = scores
            if name == self.protocol.alignment and self.result.ranges is not None:
                self.result.ranges += scorer.range_errors(current)
        return depths

    def _align(self, frame: FrameResult, fit: Fit) -> DepthPair:
        inverse, truth = self._maps(frame)
        limits = (self.protocol.depth_min_m, self.protocol.depth_max_m)
        number = self._number[frame.place]
        depth, run = fit.depth(inverse, *limits), self.paired.pairs[number].run
        return DepthPair(depth, truth, self.paired.poses[number], run)

    def _picture_fit(self, frame: FrameResult) -> Fit | None:
        """Return the fit of the alignment that the pictures use."""
        if self.protocol.alignment == 'frame':
            return fit_scale_shift(self._moments(frame))
        return self.result.fits[self.protocol.alignment]

    def _depth(self, frame: FrameResult | None) -> Float32 | None:
        fit = None if frame is None else self._picture_fit(frame)
        return None if frame is None or fit is None else self._align(frame, fit).depth

    def _error(self, frame: FrameResult) -> float:
        return frame.scores.get(self.protocol.alignment, {}).get('abs_rel', np.nan)

    def _examples(self, ranked: list[FrameResult]) -> Iterator[ExampleFrame]:
        """Yield the first frames, with a minimum distance: neighbouring frames look alike."""
        distance = max(1, len(ranked) // 10)
        chosen: list[int] = []
        for frame in ranked:
            number, fit = self._number[frame.place], self._picture_fit(frame)
            if fit is None or any(abs(number - other) < distance for other in chosen):
                continue
            chosen.append(number)
            yield self._example(frame, fit)
            if len(chosen) == EXAMPLES:
                return

    def _example(self, frame: FrameResult, fit: Fit) -> ExampleFrame:
        number = self._number[frame.place]
        aligned = self._align(frame, fit)
        image = image_of(self.paired, number)
        colours, pictures = frame_pictures(
            image, aligned.depth, aligned.truth, self.paired.scorer.dense
        )
        pairs = self.paired.pairs
        elapsed_ns = pairs[number].frame.recorded_ns - pairs[0].frame.recorded_ns
        return ExampleFrame(
            bag=self.paired.name,
            index=number,
            time_s=elapsed_ns * 1e-9,
            abs_rel=self._error(frame),
            colours=colours,
            pictures=pictures,
        )
