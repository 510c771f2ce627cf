"""Evaluation of all candidates on one set of still images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
import sys
from tempfile import TemporaryDirectory

from tqdm import tqdm

from flashdepth_ros.errors import listed
from flashdepth_ros.evaluation.bag import Task
from flashdepth_ros.evaluation.candidates import Candidate, ModelCandidate
from flashdepth_ros.evaluation.damage import reason
from flashdepth_ros.evaluation.problems import Problem, lines_of
from flashdepth_ros.evaluation.protocol import Protocol
from flashdepth_ros.evaluation.results import BagResult, CandidateResult
from flashdepth_ros.evaluation.stills.set_evaluator import SetEvaluator
from flashdepth_ros.evaluation.stills.still_problem import problem_of
from flashdepth_ros.evaluation.stills.truth_map import TruthMap
from flashdepth_ros.network.presets import preset
from flashdepth_ros.stills.still import Still
from flashdepth_ros.stills.still_set import StillSet


def evaluate_set(path: Path, task: Task) -> BagResult:
    """
    Evaluate all candidates on the still images of a folder.

    An error of any kind is stored in the result, with everything evaluated before it.
    """
    result = BagResult(task.name_of(path))
    try:
        stills = _usable(StillSet.read(path), task, result)
        for candidate in task.candidates if stills.stills else ():
            result.candidates.append(_evaluate(candidate, stills, task))
            if result.interrupted:
                break
    except Exception as error:  # noqa: BLE001 - the results of the other sets are kept
        result.failure = reason(error)
    return result


def _usable(found: StillSet, task: Task, result: BagResult) -> StillSet:
    """Return the set without the stills that cannot be used, and describe both in the result."""
    usable, problems, dense = [], [Problem(*each) for each in found.unpaired], 0
    for still in found.stills:
        try:
            dense += _check(still, task.protocol).dense
            usable.append(still)
        except Exception as error:  # noqa: BLE001 - the other stills are evaluated
            problems.append(problem_of(still, error))
    result.failure = '; '.join(lines_of(problems))
    result.images, result.pairs = len(found.stills) + len(found.without_depth), len(usable)
    counts = {'dense': dense, 'points': len(usable) - dense}
    result.truth = ', '.join(f'{count} {kind}' for kind, count in counts.items() if count)
    usable_set = replace(found, stills=tuple(usable))
    result.warnings = list(_warnings(usable_set, result.images))
    for warning in result.warnings:
        tqdm.write(f'{result.bag}: {warning}', file=sys.stderr)
    return usable_set


def _check(still: Still, protocol: Protocol) -> TruthMap:
    """Read all files and return true depth; InputError if they do not fit together."""
    rgb, truth = still.rgb(), TruthMap.read(still, protocol)
    still.check_aspect(rgb.shape, truth.full_shape)
    still.camera_matrix(rgb.shape)
    return truth


def _warnings(stills: StillSet, images: int) -> Iterator[str]:
    without = stills.without_depth
    if without:
        yield f'no true depth for {len(without)} of {images} images: {listed(without)}'
    unknown = sum(still.camera is None for still in stills.stills)
    if unknown:
        count = len(stills.stills)
        yield f'no camera.yaml for {unknown} of {count} images: no scores as predicted'


def _evaluate(candidate: Candidate, stills: StillSet, task: Task) -> CandidateResult:
    result = CandidateResult(
        candidate.label, failure=task.loaded.failures.get(candidate.label, '')
    )
    if result.failure:
        return result
    assert isinstance(candidate, ModelCandidate)
    result.relative = not preset(candidate.settings.model).metric
    try:
        with TemporaryDirectory(dir=task.scratch) as folder:
            evaluator = SetEvaluator(stills, task, result, Path(folder))
            evaluator.predict(task.loaded.estimators[candidate.label])
            evaluator.score()
    except Exception as error:  # noqa: BLE001 - the results of the other candidates are kept
        result.failure = '; '.join(filter(None, (result.failure, reason(error))))
    return result
