"""Means over frames and bags: a frame counts alike within its bag, a bag alike among bags."""

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
    """Compared with truth."""
    scores: Scores
    """By alignment and metric."""
    scale_drift: float
    """Deviation of all frames' own scales over their mean."""
    drift_curve: tuple[float, ...]
    """The same over the first 1, 2, 3, ... frames; where bags differ in length, of those left."""
    ranges: RangeErrors | None
    stages: tuple[StageTime, ...]
    """How long the stages took; empty for predictions that were recorded."""
    fps: float
    """Frames a second of the estimator by itself, decoding beside it."""


def summarise(label: str, bags: Sequence[BagResult]) -> Summary:
    """Return the summary of the candidate of this label over these bags."""
    results = [each for bag in bags for each in bag.candidates if each.label == label]
    done = [each for each in results if each.scored]
    curves = [curve_of(each.scored) for each in done]
    times = [frame for each in results for frame in each.frames if frame.stages_ms]
    return Summary(
        label=label,
        frames=sum(len(each.scored) for each in done),
        scores=mean_scores([frame_means(each.scored) for each in done]),
        scale_drift=mean([float(curve[-1]) for curve in curves]),
        drift_curve=_mean_curve(curves),
        ranges=_total(done),
        stages=tuple(_stages(times)),
        fps=1e3 / mean([frame.total_ms for frame in times]) if times else np.nan,
    )


def frame_means(frames: Sequence[FrameResult]) -> Scores:
    """Return the mean of every score over frames, those left out that do not have it."""
    return mean_scores([frame.scores for frame in frames])


def mean_scores(scores: Sequence[Scores]) -> Scores:
    """Return the mean of every score over several, those left out that do not have it."""
    return {
        alignment: {
            metric.key: mean([each.get(alignment, {}).get(metric.key, np.nan) for each in scores])
            for metric in METRICS
        }
        for alignment in ALIGNMENTS
    }


def curve_of(frames: Sequence[FrameResult]) -> npt.NDArray[np.floating]:
    """Return the drift curve of a sequence."""
    return drift_curve(np.array([frame.own_scale for frame in frames]))


def mean(values: Iterable[float]) -> float:
    """Return the mean of those values that are finite; NaN where none is."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else np.nan


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
