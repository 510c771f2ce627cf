"""From predictions on disk to scores: one pass to fit the alignments, one to judge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from flashdepth_ros.camera.geometry import Float32, invert
from flashdepth_ros.evaluation.alignment import Fit, fit_scale, fit_scale_shift, fitted
from flashdepth_ros.evaluation.pictures import (
    Range,
    depth_slice,
    image_slice,
    pictures,
)
from flashdepth_ros.evaluation.protocol import ALIGNMENTS, Protocol
from flashdepth_ros.evaluation.results import CandidateResult, Exhibit, FrameResult, RangeErrors
from flashdepth_ros.evaluation.scene import Scene
from flashdepth_ros.evaluation.scoring import Instant
from flashdepth_ros.evaluation.stack import Stack
from flashdepth_ros.metrics import Moments

Pixel = TypeVar('Pixel', np.float32, np.uint8)

EXHIBITS = 2
"""So many of the best and of the worst frames are shown of each candidate and bag."""
SLICE_FRAMES = 480
"""So many frames are shown of one column over time."""


class Judgement:
    """One candidate on one bag."""

    def __init__(
        self, scene: Scene, predictions: Stack, result: CandidateResult, protocol: Protocol
    ) -> None:
        self.scene = scene
        self.predictions = predictions
        self.result = result
        self.protocol = protocol
        self._number = scene.index()

    def run(self) -> None:
        """Fit, score every frame, and choose what to show."""
        judged = [frame for frame in self.result.frames if frame.truth_ns is not None]
        moments = [self._moments(frame) for frame in judged]
        self.result.fits = fitted(sum(moments, Moments()))
        self.result.ranges = RangeErrors.empty(self.scene.scorer.edges_m)
        before: dict[str, Instant] = {}
        for frame, own in zip(judged, moments, strict=True):
            before = self._score(frame, own, before)
        self.result.time_slice = self._slice()
        ranked = sorted(judged, key=self._error)
        ranked = [frame for frame in ranked if np.isfinite(self._error(frame))]
        self.result.best = list(self._shown(ranked))
        self.result.worst = list(self._shown(ranked[::-1]))

    def _moments(self, frame: FrameResult) -> Moments:
        inverse, truth = self._maps(frame)
        return Moments.of(inverse, invert(truth))

    def _maps(self, frame: FrameResult) -> tuple[Float32, Float32]:
        number = self._number[frame.stamp_ns]
        return self.predictions[number], self.scene.truths[number]

    def _score(
        self, frame: FrameResult, own: Moments, before: dict[str, Instant]
    ) -> dict[str, Instant]:
        """Score a frame under every alignment; return what the next frame is held against."""
        scale = fit_scale(own)
        frame.pixels, frame.own_scale = own.count, np.nan if scale is None else scale.scale
        fits = {**self.result.fits, 'frame': fit_scale_shift(own)}
        instants: dict[str, Instant] = {}
        for name in ALIGNMENTS:
            fit = fits[name]
            if fit is None:
                continue
            instants[name] = now = self._instant(frame, fit)
            scores = self.scene.scorer.frame(now)
            if name in before:
                scores |= self.scene.scorer.step(before[name], now)
            frame.scores[name] = scores
            if name == self.protocol.alignment and self.result.ranges is not None:
                self.result.ranges += self.scene.scorer.range_errors(now)
        return instants

    def _instant(self, frame: FrameResult, fit: Fit) -> Instant:
        inverse, truth = self._maps(frame)
        limits = (self.protocol.depth_min_m, self.protocol.depth_max_m)
        pose = self.scene.poses[self._number[frame.stamp_ns]]
        return Instant(fit.depth(inverse, *limits), truth, pose)

    def _shown_fit(self, frame: FrameResult) -> Fit | None:
        """Return the fit of the alignment that the pictures go by."""
        if self.protocol.alignment == 'frame':
            return fit_scale_shift(self._moments(frame))
        return self.result.fits[self.protocol.alignment]

    def _error(self, frame: FrameResult) -> float:
        return frame.scores.get(self.protocol.alignment, {}).get('abs_rel', np.nan)

    def _shown(self, ranked: list[FrameResult]) -> Iterator[Exhibit]:
        """Yield the first frames that lie apart, since neighbours look the same."""
        apart = max(1, len(ranked) // 10)
        taken: list[int] = []
        for frame in ranked:
            number, fit = self._number[frame.stamp_ns], self._shown_fit(frame)
            if fit is None or any(abs(number - other) < apart for other in taken):
                continue
            taken.append(number)
            yield self._exhibit(frame, fit)
            if len(taken) == EXHIBITS:
                return

    def _exhibit(self, frame: FrameResult, fit: Fit) -> Exhibit:
        number = self._number[frame.stamp_ns]
        now = self._instant(frame, fit)
        image = image_at(self.scene, number)
        since_ns = frame.stamp_ns - self.scene.pairs[0].frame_ns
        return Exhibit(
            self.scene.path.name,
            number,
            since_ns * 1e-9,
            self._error(frame),
            pictures(image, now.depth, now.truth, self.scene.scorer.dense),
        )

    def _slice(self) -> bytes:
        columns = []
        by_number = {
            self._number[frame.stamp_ns]: frame for frame in self.result.frames if frame.scores
        }
        for number in slice_numbers(self.scene):
            frame = by_number.get(number)
            fit = None if frame is None else self._shown_fit(frame)
            if frame is None or fit is None:
                columns.append(np.full(self.scene.truth.shape[0], np.nan, np.float32))
            else:
                depth = self._instant(frame, fit).depth
                columns.append(_middle(depth))
        return depth_slice(columns, slice_range(self.scene))


def scene_slices(scene: Scene) -> dict[str, bytes]:
    """Return the middle column of the image over time and, of dense truth, that of the truth."""
    numbers = slice_numbers(scene)
    slices = {'image': image_slice([_middle(image_at(scene, number)) for number in numbers])}
    if scene.truth.dense:
        columns = [_middle(scene.truths[number]) for number in numbers]
        slices['truth'] = depth_slice(columns, slice_range(scene))
    return slices


def slice_numbers(scene: Scene) -> list[int]:
    """Return the pairs whose column is shown: the first of those that have truth."""
    return [number for number in range(len(scene.pairs)) if number in scene.truths][:SLICE_FRAMES]


def slice_range(scene: Scene) -> Range:
    """Return what the colours of the columns stand for: one range for all candidates."""
    numbers = slice_numbers(scene)
    some = numbers[:: max(1, len(numbers) // 16)]
    return Range.of(np.stack([scene.truths[number] for number in some]))


def image_at(scene: Scene, number: int) -> npt.NDArray[np.uint8]:
    """Return the picture of a pair at the truth's size; black where it could not be read."""
    if number in scene.images:
        return scene.images[number]
    return np.zeros(scene.images.shape, np.uint8)


def _middle(picture: npt.NDArray[Pixel]) -> npt.NDArray[Pixel]:
    """Return the middle column, as a copy: a view would keep the whole picture in memory."""
    return picture[:, picture.shape[1] // 2].copy()
