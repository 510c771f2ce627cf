"""Figures of an evaluation of still images as a table for the terminal: a line for each set."""

from __future__ import annotations

from collections.abc import Iterator

from flashdepth_ros.evaluation.evaluation import Evaluation
from flashdepth_ros.evaluation.results import METRICS
from flashdepth_ros.evaluation.summary import Summary, summarise

#: Heading and metric of the columns of an alignment.
_AS_PREDICTED = (('AbsRel', 'abs_rel'), ('delta1', 'delta1'))
_ALIGNED = (*_AS_PREDICTED, ('order', 'order'), ('F1', 'boundary_f1'))
_WIDTH = 9
_FORMATS = {metric.key: metric.format for metric in METRICS}


def table(evaluation: Evaluation) -> Iterator[str]:
    """Yield the lines: for each candidate those of the sets, and the means over the sets."""
    aligned = evaluation.protocol.fitted
    names = [bag.bag for bag in evaluation.bags]
    first = max(map(len, (*names, _mean(len(names)), *evaluation.labels)))
    groups = ('as predicted', _AS_PREDICTED), (f'aligned: {aligned}', _ALIGNED)
    for summary in evaluation.summaries:
        yield f'{summary.label:{first}}{"":8}' + ''.join(
            f'{title:>{_WIDTH * len(columns)}}' for title, columns in groups
        )
        headings = (f'{name:>{_WIDTH}}' for _, columns in groups for name, _ in columns)
        yield f'{"":{first}}{"images":>8}{"".join(headings)}'
        sets = [summarise(summary.label, [bag]) for bag in evaluation.bags]
        for name, each in zip(names, sets, strict=True):
            yield _line(f'{name:{first}}', each, aligned)
        mean = _mean(sum(each.frames > 0 for each in sets))
        yield _line(f'{mean:{first}}', summary, aligned)


def _mean(sets: int) -> str:
    return f'mean of {sets} set{"s" if sets != 1 else ""}'


def _line(name: str, summary: Summary, aligned: str) -> str:
    cells = [
        f'{_FORMATS[key](summary.scores[alignment][key]):>{_WIDTH}}'
        for alignment, columns in (('none', _AS_PREDICTED), (aligned, _ALIGNED))
        for _, key in columns
    ]
    return f'{name}{summary.frames:8}{"".join(cells)}'
