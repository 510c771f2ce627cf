"""Evaluation of a candidate on a set: predict every image, fit the alignments, score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from flashdepth_ros.camera.geometry import Float32, invert
from flashdepth_ros.errors import InputError
from flashdepth_ros.evaluation.alignment import Fit, fit_all, fit_scale, fit_scale_shift
from flashdepth_ros.evaluation.bag import Task
from flashdepth_ros.evaluation.candidate_evaluator import EXAMPLES
from flashdepth_ros.evaluation.pictures import frame_pictures
from flashdepth_ros.evaluation.problems import Problem, lines_of
from flashdepth_ros.evaluation.protocol import ALIGNMENTS
from flashdepth_ros.evaluation.results import (
    CandidateResult,
    ExampleFrame,
    FrameResult,
    RangeErrors,
)
from flashdepth_ros.evaluation.scoring import DepthPair, Scorer
from flashdepth_ros.evaluation.stills.still_problem import problem_of
from flashdepth_ros.evaluation.stills.truth_map import TruthMap
from flashdepth_ros.metrics import Moments, order_accuracy
from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.stills.still import Still
from flashdepth_ros.stills.still_set import StillSet

#: Time between the frames of a video; no network depends on it.
_STEP_NS = 10**8


class SetEvaluator:
    """Evaluate one candidate on one set; its predictions are on disk, in `folder`."""

    def __init__(
        self, stills: StillSet, task: Task, result: CandidateResult, folder: Path
    ) -> None:
        self.set = stills
        self.task = task
        self.result = result
        self.folder = folder
        self._moments: dict[int, Moments] = {}

    def predict(self, estimator: DepthEstimator) -> None:
        """
        Store the predictions at the pixels of true depth, and record every image.

        Each image is a sequence of its own unless the set is a video. Images that fail are named
        in the result.
        """
        stills = self.set.stills
        estimator.warm_up(*stills[0].rgb().shape[:2])
        estimator.reset()
        problems = []
        progress = f'{self.task.name_of(self.set.path)}: {self.result.label}'
        for number, still in enumerate(
            tqdm(stills, desc=progress, unit='image', disable=not self.task.progress)
        ):
            if self.task.stop():
                self.result.interrupted = True
                problems.append(Problem('', f'interrupted after {len(self.result.frames)} images'))
                break
            try:
                self._predict(number, still, estimator)
            except Exception as error:  # noqa: BLE001 - the other images are evaluated
                problems.append(problem_of(still, error))
        self.result.failure = '; '.join(lines_of(problems))

    def _predict(self, number: int, still: Still, estimator: DepthEstimator) -> None:
        rgb, truth = still.rgb(), TruthMap.read(still, self.task.protocol)
        # A name of its own, so that an image without K does not inherit that of the one before.
        frame_id = f'{self.set.path}/{"" if self.set.options.video else number}'
        depth = estimator.estimate(
            rgb, number * _STEP_NS, frame_id, still.camera_matrix(rgb.shape)
        )
        inverse_depth = truth.sample(depth.inverse_depth)
        moments = Moments.of(inverse_depth, invert(truth.depth))
        if not moments.count:
            raise InputError('no predicted depth at any pixel of true depth')
        self._moments[number] = moments
        np.save(self.folder / f'{number}.npy', inverse_depth)
        stages_ms = astuple(depth.times)
        self.result.frames.append(FrameResult(number, 0, stages_ms=stages_ms, name=still.name))

    def score(self) -> None:
        """Fit the alignments to all images, score every image, and make the pictures."""
        self.result.fits = fit_all(sum(self._moments.values(), Moments()))
        if self.result.relative:
            self.result.fits['none'] = None
        for frame in self.result.frames:
            self._score(frame)
        ranked = sorted(self.result.frames, key=self._error)
        ranked = [frame for frame in ranked if np.isfinite(self._error(frame))]
        self.result.best = list(self._examples(ranked[:EXAMPLES]))
        self.result.worst = list(self._examples(ranked[: -EXAMPLES - 1 : -1]))

    def _score(self, frame: FrameResult) -> None:
        inverse_depth, truth = self._maps(frame)
        own, protocol = self._moments[frame.place], self.task.protocol
        scorer = Scorer(protocol, truth.depth.shape, None, truth.dense)
        order = order_accuracy(inverse_depth, invert(truth.depth))
        frame.pixels = own.count
        scale = fit_scale(own)
        if scale is not None and self._is_metric(frame):
            frame.own_scale = scale.scale
        for name in ALIGNMENTS:
            fit = self._fit(frame, name)
            if fit is None:
                continue
            current = self._align(inverse_depth, truth, fit)
            frame.scores[name] = {**scorer.frame_scores(current), 'order': order}
            if name == protocol.alignment:
                errors = scorer.range_errors(current)
                ranges = self.result.ranges or RangeErrors.empty(scorer.edges_m)
                self.result.ranges = ranges + errors

    def _maps(self, frame: FrameResult) -> tuple[Float32, TruthMap]:
        inverse_depth = np.load(self.folder / f'{frame.place}.npy')
        return inverse_depth, TruthMap.read(self.set.stills[frame.place], self.task.protocol)

    def _is_metric(self, frame: FrameResult) -> bool:
        """Return whether the prediction is in metres: the model's are, and K is known."""
        return not self.result.relative and self.set.stills[frame.place].camera is not None

    def _fit(self, frame: FrameResult, name: str) -> Fit | None:
        if name == 'frame':
            return fit_scale_shift(self._moments[frame.place])
        if name == 'none' and not self._is_metric(frame):
            return None
        return self.result.fits[name]

    def _align(self, inverse_depth: Float32, truth: TruthMap, fit: Fit) -> DepthPair:
        protocol = self.task.protocol
        depth = fit.depth(inverse_depth, protocol.depth_min_m, protocol.depth_max_m)
        return DepthPair(depth, truth.depth, None)

    def _error(self, frame: FrameResult) -> float:
        return frame.scores.get(self.task.protocol.alignment, {}).get('abs_rel', np.nan)

    def _examples(self, frames: list[FrameResult]) -> Iterator[ExampleFrame]:
        for frame in frames:
            inverse_depth, truth = self._maps(frame)
            fit = self._fit(frame, self.task.protocol.alignment)
            assert fit is not None
            aligned = self._align(inverse_depth, truth, fit)
            height, width = truth.depth.shape
            image = cv2.resize(
                self.set.stills[frame.place].rgb(), (width, height), interpolation=cv2.INTER_AREA
            )
            colours, pictures = frame_pictures(
                np.asarray(image, np.uint8), aligned.depth, aligned.truth, truth.dense
            )
            yield ExampleFrame(
                bag=self.task.name_of(self.set.path),
                index=frame.place,
                time_s=0.0,
                abs_rel=self._error(frame),
                colours=colours,
                pictures=pictures,
                name=frame.name,
            )
