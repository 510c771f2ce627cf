"""Evaluation of all candidates on one bag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from flashdepth_ros.bags import BagReader
from flashdepth_ros.evaluation.candidate_evaluator import CandidateEvaluator
from flashdepth_ros.evaluation.candidates import Candidate, Loaded, ModelCandidate
from flashdepth_ros.evaluation.damage import reason
from flashdepth_ros.evaluation.map_file import MapFile
from flashdepth_ros.evaluation.paired_bag import PairedBag
from flashdepth_ros.evaluation.predictions import (
    Predictions,
    predict,
    read_predictions,
    store_predictions,
)
from flashdepth_ros.evaluation.protocol import Protocol, Topics
from flashdepth_ros.evaluation.results import BagResult, CandidateResult
from flashdepth_ros.evaluation.scoring import DepthPair
from flashdepth_ros.evaluation.summary import mean
from flashdepth_ros.evaluation.time_slices import (
    ground_truth_slices,
    slice_colours,
    slice_duration_s,
)
from flashdepth_ros.network.presets import preset


@dataclass(frozen=True)
class Task:
    """What to evaluate on every bag."""

    candidates: tuple[Candidate, ...]
    topics: Topics
    protocol: Protocol
    loaded: Loaded
    scratch: Path
    """Folder for the maps of one bag: ground truth, images and predictions."""
    stop: Callable[[], bool] = lambda: False
    """Called before every frame; True interrupts the evaluation."""
    progress: bool = True
    names: Mapping[Path, str] = field(default_factory=dict)
    """Of recordings or sets, where the last part of the path does not tell them apart."""

    def name_of(self, path: Path) -> str:
        """Return the name of a recording or set in the report."""
        return self.names.get(path, path.name)


def evaluate_bag(path: Path, task: Task) -> BagResult:
    """
    Evaluate all candidates on one bag; the memory use does not depend on its length.

    An error of any kind is stored in the result, with everything evaluated before it.
    """
    result = BagResult(task.name_of(path))
    try:
        with BagReader(path) as bag, TemporaryDirectory(dir=task.scratch) as folder:
            paired = PairedBag.create(bag, task.topics, task.protocol, Path(folder), result.bag)
            result.warnings = paired.warnings
            try:
                paired.read()
                result.failure = paired.damage
                _describe(paired, result)
                for candidate in task.candidates:
                    result.candidates.append(_evaluate(candidate, paired, task, Path(folder)))
                    if result.interrupted:
                        break
            finally:
                paired.close()
    except Exception as error:  # noqa: BLE001 - the results of the other bags are kept
        result.failure = reason(error)
    return result


def _evaluate(
    candidate: Candidate, paired: PairedBag, task: Task, folder: Path
) -> CandidateResult:
    result = CandidateResult(candidate.label)
    result.failure = task.loaded.failures.get(candidate.label, '')
    if result.failure:
        return result
    try:
        with MapFile(folder / 'prediction', paired.ground_truth.shape, np.float32) as maps:
            predictions = _until(task.stop, _predictions(candidate, paired, task, result), result)
            store_predictions(predictions, paired, maps, result)
            if len(maps):
                CandidateEvaluator(paired, maps, result, task.protocol).run()
            elif not result.failure:
                result.failure = 'no frame with ground truth has a prediction'
    except Exception as error:  # noqa: BLE001 - the results of the other candidates are kept
        result.failure = result.failure or reason(error)
    return result


def _predictions(
    candidate: Candidate, paired: PairedBag, task: Task, result: CandidateResult
) -> Predictions:
    if isinstance(candidate, ModelCandidate):
        estimator = task.loaded.estimators[candidate.label]
        is_metric = candidate.is_scaled or preset(candidate.settings.model).metric
        result.relative = not is_metric
        return predict(candidate, estimator, paired, task.progress, result, task.stop)
    return read_predictions(candidate, paired, task.protocol, result)


def _until(
    stop: Callable[[], bool], predictions: Predictions, result: CandidateResult
) -> Predictions:
    for each in predictions:
        if stop():
            result.interrupted = True
            result.failure = f'interrupted after {len(result.frames)} frames'
            return
        yield each


def _describe(paired: PairedBag, result: BagResult) -> None:
    info, ground_truth = paired.frames.camera_info, paired.ground_truth
    result.topics = {
        'image': paired.frames.image.name,
        'camera_info': info.name if info else '',
        'truth': ground_truth.topic.name,
    }
    result.images, result.pairs = len(paired.frames), len(paired.truth_maps)
    result.offset_ms = max(pair.apart_ns for pair in paired.pairs) * 1e-6
    size = f'{ground_truth.shape[1]} x {ground_truth.shape[0]} px'
    result.truth = f'{ground_truth.kind}, compared at {size}'
    result.poses = paired.pose_source
    result.slices = ground_truth_slices(paired)
    result.slice_s = slice_duration_s(paired)
    result.slice_colours = slice_colours(paired)
    if ground_truth.dense:
        result.truth_tae = _truth_tae(paired)


def _truth_tae(paired: PairedBag) -> float:
    errors = []
    previous: DepthPair | None = None
    for number, pair in enumerate(paired.pairs):
        if number not in paired.truth_maps:
            continue
        depth = paired.truth_maps[number]
        current = DepthPair(depth, depth, paired.poses[number], pair.run)
        if previous is not None and previous.run == current.run:
            errors.append(paired.scorer.tae(previous, current))
        previous = current
    return mean(errors)
