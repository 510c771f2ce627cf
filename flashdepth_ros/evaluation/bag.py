"""All candidates on one bag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from flashdepth_ros.bags import BagReader
from flashdepth_ros.errors import FlashDepthError
from flashdepth_ros.evaluation.candidates import Candidate, ModelCandidate
from flashdepth_ros.evaluation.judgement import Judgement, scene_slices, slice_numbers
from flashdepth_ros.evaluation.predictions import Predicted, estimated_by, recorded_in, store
from flashdepth_ros.evaluation.protocol import Protocol, Topics
from flashdepth_ros.evaluation.results import BagResult, CandidateResult
from flashdepth_ros.evaluation.scene import Scene
from flashdepth_ros.evaluation.scoring import Instant
from flashdepth_ros.evaluation.stack import Stack
from flashdepth_ros.runtime import DepthEstimator


@dataclass(frozen=True)
class Task:
    """What to do with every bag."""

    candidates: tuple[Candidate, ...]
    topics: Topics
    protocol: Protocol
    estimators: Mapping[str, DepthEstimator]
    """Of the candidates that are models, by label; each is used for one bag after the other."""
    scratch: Path
    """A folder for the maps of one bag: truth, image and predictions at the truth's size."""
    stop: Callable[[], bool] = lambda: False
    """Asked before every frame."""
    progress: bool = True


def evaluate_bag(path: Path, task: Task) -> BagResult:
    """
    Judge all candidates on one bag, in memory that does not grow with its length.

    What goes wrong stands in the result, beside what was done until then.
    """
    result = BagResult(path.name)
    try:
        with BagReader(path) as bag, TemporaryDirectory(dir=task.scratch) as folder:
            scene = Scene.paired(bag, task.topics, task.protocol, Path(folder))
            try:
                scene.read()
                result.failure = scene.damage
                _describe(scene, result)
                for candidate in task.candidates:
                    result.candidates.append(_judged(candidate, scene, task, Path(folder)))
                    if result.interrupted:
                        break
            finally:
                scene.close()
    except FlashDepthError as error:
        result.failure = str(error)
    return result


def _judged(candidate: Candidate, scene: Scene, task: Task, folder: Path) -> CandidateResult:
    result = CandidateResult(candidate.label)
    predictions = Stack(folder / 'prediction', scene.truth.shape, np.float32)
    try:
        predicted = _until(task.stop, _predicted(candidate, scene, task, result), result)
        store(predicted, scene, predictions, result)
        if len(predictions):
            Judgement(scene, predictions, result, task.protocol).run()
        elif not result.failure:
            result.failure = 'no frame that has truth was predicted'
    finally:
        predictions.close()
    return result


def _predicted(
    candidate: Candidate, scene: Scene, task: Task, result: CandidateResult
) -> Predicted:
    if isinstance(candidate, ModelCandidate):
        estimator = task.estimators[candidate.label]
        return estimated_by(estimator, scene, task.progress, result)
    return recorded_in(candidate, scene, task.protocol)


def _until(stop: Callable[[], bool], predicted: Predicted, result: CandidateResult) -> Predicted:
    for each in predicted:
        if stop():
            result.interrupted = True
            result.failure = f'interrupted after {len(result.frames)} frames'
            return
        yield each


def _describe(scene: Scene, result: BagResult) -> None:
    info, truth = scene.frames.camera_info, scene.truth
    result.topics = {
        'image': scene.frames.image.name,
        'camera_info': info.name if info else '',
        'truth': truth.topic.name,
    }
    result.images, result.pairs = len(scene.frames), len(scene.truths)
    result.offset_ms = max(abs(p.frame_ns - p.truth_ns) for p in scene.pairs) * 1e-6
    kind = 'depth images' if truth.dense else 'lidar points'
    result.truth = f'{kind}, compared at {truth.shape[1]} x {truth.shape[0]} px'
    result.poses = scene.poses_from
    result.slices = scene_slices(scene)
    numbers = slice_numbers(scene)
    result.slice_s = (scene.pairs[numbers[-1]].frame_ns - scene.pairs[numbers[0]].frame_ns) * 1e-9
    if truth.dense:
        result.truth_tae = _truth_tae(scene)


def _truth_tae(scene: Scene) -> float:
    errors = []
    before: Instant | None = None
    for number, pose in enumerate(scene.poses):
        if number not in scene.truths:
            continue
        depth = scene.truths[number]
        now = Instant(depth, depth, pose)
        if before is not None:
            errors.append(scene.scorer.tae(before, now))
        before = now
    known = [error for error in errors if np.isfinite(error)]
    return float(np.mean(known)) if known else np.nan
