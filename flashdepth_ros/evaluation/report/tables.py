"""Figures of an evaluation as JSON and CSV."""

from __future__ import annotations

from collections.abc import Iterator
import csv
from dataclasses import asdict
import io
import json
import math
from typing import Any

from flashdepth_ros.evaluation.evaluation import Evaluation
from flashdepth_ros.evaluation.protocol import ALIGNMENTS
from flashdepth_ros.evaluation.results import (
    METRICS,
    STAGES,
    BagResult,
    CandidateResult,
    FrameResult,
    RangeErrors,
)
from flashdepth_ros.evaluation.summary import Summary, summarise

FORMAT = 1
"""Version of report.json; incremented by incompatible changes."""


def report_json(evaluation: Evaluation) -> str:
    """Return everything except the single frames; unknown values are null."""
    report = {
        'format': FORMAT,
        'command': evaluation.command,
        'created': evaluation.created,
        'versions': evaluation.versions,
        'machine': evaluation.machine,
        'protocol': asdict(evaluation.protocol),
        'candidates': evaluation.facts,
        'summary': {each.label: _summary(each) for each in evaluation.summaries},
        'bags': [_bag(bag) for bag in evaluation.bags],
        'failures': evaluation.failures,
        'warnings': evaluation.warnings,
    }
    return json.dumps(_json_value(report), indent=1, ensure_ascii=False) + '\n'


def frames_csv(evaluation: Evaluation) -> str:
    """Return one line per frame and candidate; unknown scores are empty."""
    columns = [f'{alignment}.{metric.key}' for alignment in ALIGNMENTS for metric in METRICS]
    text = io.StringIO(newline='')
    table = csv.writer(text)
    facts = ['bag', 'candidate', 'index', 'name', 'stamp_ns', 'truth_ns', 'pixels', 'own_scale']
    table.writerow([*facts, *STAGES, *columns])
    for bag in evaluation.bags:
        for candidate in bag.candidates:
            for frame in candidate.frames:
                table.writerow([bag.bag, candidate.label, *_cells(frame)])
    return text.getvalue()


def _cells(frame: FrameResult) -> Iterator[object]:
    yield from (frame.place, frame.name, frame.stamp_ns, frame.truth_ns, frame.pixels)
    yield _number(frame.own_scale)
    yield from map(_number, frame.stages_ms or (math.nan,) * len(STAGES))
    for alignment in ALIGNMENTS:
        scores = frame.scores.get(alignment, {})
        yield from (_number(scores.get(metric.key, math.nan)) for metric in METRICS)


def _number(value: float) -> str:
    return f'{value:.7g}' if math.isfinite(value) else ''


def _summary(summary: Summary) -> dict[str, Any]:
    return {
        'frames': summary.frames,
        'scores': summary.scores,
        'scale_drift': summary.scale_drift,
        'drift_curve': summary.drift_curve,
        'depth_ranges': _ranges(summary.ranges),
        'latency_ms': [asdict(stage) for stage in summary.stages],
        'fps': summary.fps,
    }


def _bag(bag: BagResult) -> dict[str, Any]:
    names = ('topics', 'images', 'pairs', 'offset_ms', 'truth', 'poses', 'truth_tae')
    return {
        'bag': bag.bag,
        **{name: getattr(bag, name) for name in (*names, 'warnings', 'failure')},
        'candidates': {each.label: _candidate(each, bag) for each in bag.candidates},
    }


def _candidate(result: CandidateResult, bag: BagResult) -> dict[str, Any]:
    return {
        'fits': {name: fit and asdict(fit) for name, fit in result.fits.items()},
        'frames_done': len(result.frames),
        'frames_skipped': result.skipped,
        'failure': result.failure,
        **_summary(summarise(result.label, [bag])),
    }


def _ranges(ranges: RangeErrors | None) -> list[dict[str, float]]:
    if ranges is None:
        return []
    rows = zip(
        ranges.edges_m[:-1],
        ranges.edges_m[1:],
        ranges.pixels.tolist(),
        ranges.abs_rel.tolist(),
        ranges.delta1.tolist(),
        strict=True,
    )
    names = ('from_m', 'to_m', 'pixels', 'abs_rel', 'delta1')
    return [dict(zip(names, row, strict=True)) for row in rows]


def _json_value(value: Any) -> Any:
    """Replace NaN and infinities, which JSON does not have, by None."""
    if isinstance(value, dict):
        return {key: _json_value(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
