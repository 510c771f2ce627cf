"""Means over the frames of each bag, then over bags, with equal weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flashdepth_ros.evaluation.protocol import ALIGNMENTS
from flashdepth_ros.evaluation.results import (
    METRICS,
    STAGES,
    BagResult,
    CandidateResult,
    FrameResult,
    RangeErrors,
)
from flashdepth_ros.metrics import drift_curve
from flashdepth_ros.presentation import StageTime, stage_times

Scores = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Summary:
    """One candidate over some bags."""

    label: str
    frames: int
    """Number of frames compared with ground truth."""
    scores: Scores
    """By alignment and metric."""
    scale_drift: float
    """Standard deviation of the frames' own scales over their mean."""
    drift_curve: tuple[float, ...]
    """The same for the first 1, 2, 3, ... frames; the mean over the bags that are long enough."""
    ranges: RangeErrors | None
    stages: tuple[StageTime, ...]
    """Durations of the stages; empty for recorded predictions."""
    fps: float
    """Frame rate of the estimator alone: image decoding runs in another thread."""


def summarise(label: str, bags: Sequence[BagResult]) -> Summary:
    """Return the summary of the candidate with this label over these bags."""
    results = [each for bag in bags for each in bag.candidates if each.label == label]
    done = [each for each in results if each.scored]
    curves = [scale_drift_curve(each.scored) for each in done]
    timed = [frame for each in results for frame in each.frames if frame.stages_ms]
    return Summary(
        label=label,
        frames=sum(len(each.scored) for each in done),
        scores=mean_scores([frame_means(each.scored) for each in done]),
        scale_drift=mean([float(curve[-1]) for curve in curves]),
        drift_curve=_mean_curve(curves),
        ranges=_total(done),
        stages=tuple(_stages(timed)),
        fps=1e3 / mean([frame.total_ms for frame in timed]) if timed else np.nan,
    )


def frame_means(frames: Sequence[FrameResult]) -> Scores:
    """Return the mean of every score over the frames that have it."""
    return mean_scores([frame.scores for frame in frames])


def mean_scores(scores: Sequence[Scores]) -> Scores:
    """Return the mean of every score over those that have it."""
    return {
        alignment: {
            metric.key: mean([each.get(alignment, {}).get(metric.key, np.nan) for each in scores])
            for metric in METRICS
        }
        for alignment in ALIGNMENTS
    }


def scale_drift_curve(frames: Sequence[FrameResult]) -> npt.NDArray[np.floating]:
    """Return the drift curve of a sequence."""
    return drift_curve(np.array([frame.own_scale for frame in frames]))


def mean(values: Iterable[float]) -> float:
    """Return the mean of the finite values; NaN if there are none."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else np.nan


def _mean_curve(curves: Sequence[npt.NDArray[np.floating]]) -> tuple[float, ...]:
    longest = max(map(len, curves), default=0)
    return tuple(
        mean([float(curve[x]) for curve in curves if x < len(curve)]) for x in range(longest)
    )


def _total(results: Sequence[CandidateResult]) -> RangeErrors | None:
    total: RangeErrors | None = None
    for each in results:
        if each.ranges is not None:
            total = each.ranges if total is None else total + each.ranges
    return total


def _stages(frames: Sequence[FrameResult]) -> list[StageTime]:
    samples = {
        name.removesuffix('_ms'): np.array([frame.stages_ms[index] for frame in frames])
        for index, name in enumerate(STAGES)
    }
    return stage_times({**samples, 'total': np.array([frame.total_ms for frame in frames])})
