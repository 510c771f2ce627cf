"""The main figures of an evaluation as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from flashdepth_ros.evaluation.evaluation import Evaluation
from flashdepth_ros.evaluation.results import DRIFT, METRICS
from flashdepth_ros.evaluation.summary import Summary

#: Heading, metric and width of the columns of an alignment.
_AS_PREDICTED = (('AbsRel', 'abs_rel', 8), ('delta1', 'delta1', 8))
_ALIGNED = (*_AS_PREDICTED, ('F1', 'boundary_f1', 8), ('flicker %', 'flicker', 11))
_FORMATS = {metric.key: metric.format for metric in METRICS}


def table(evaluation: Evaluation) -> Iterator[str]:
    """
    Yield the lines: AbsRel and delta1 as predicted, then the figures with alignment.

    Lines about the scales that were fitted follow.
    """
    aligned = evaluation.protocol.fitted
    label = max(len(each) for each in evaluation.labels)
    widths = [sum(width for *_, width in group) for group in (_AS_PREDICTED, _ALIGNED)]
    yield f'{"":{label}}{"as predicted":>{widths[0]}}{f"aligned: {aligned}":>{widths[1]}}'
    headings = (f'{name:>{width}}' for name, _, width in (*_AS_PREDICTED, *_ALIGNED))
    yield f'{"":{label}}{"".join(headings)}{"drift %":>9}{"fps":>8}'
    for summary in evaluation.summaries:
        yield f'{summary.label:{label}}{"".join(_cells(summary, aligned))}'
    for bag in evaluation.bags:
        for each in bag.candidates:
            if each.scale:
                yield f'{bag.bag}: {each.label}: {each.scale}'


def _cells(summary: Summary, aligned: str) -> Iterator[str]:
    for alignment, columns in (('none', _AS_PREDICTED), (aligned, _ALIGNED)):
        for _, key, width in columns:
            yield f'{_FORMATS[key](summary.scores[alignment][key]):>{width}}'
    yield f'{DRIFT.format(summary.scale_drift):>9}'
    yield f'{summary.fps:8.2f}' if summary.stages else f'{"n/a":>8}'
