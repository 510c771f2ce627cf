"""The table of the scores of each set of still images."""

from __future__ import annotations

from dataclasses import dataclass

from flashdepth_ros.evaluation.evaluation import Evaluation
from flashdepth_ros.evaluation.report.cells import Cell, metric_cells
from flashdepth_ros.evaluation.results import METRICS, BagResult, Metric
from flashdepth_ros.evaluation.summary import Summary, summarise

_BY_KEY = {metric.key: metric for metric in METRICS}


@dataclass(frozen=True)
class Column:
    """A metric, with or without alignment, and what the heading says of that."""

    metric: Metric
    aligned: bool
    note: str = ''


@dataclass(frozen=True)
class SetRow:
    """The scores of a candidate on a set, one cell for each of COLUMNS."""

    label: str
    images: int
    cells: tuple[Cell, ...]


COLUMNS = (
    Column(_BY_KEY['abs_rel'], False, 'as predicted'),
    Column(_BY_KEY['delta1'], False, 'as predicted'),
    Column(_BY_KEY['abs_rel'], True, 'aligned'),
    Column(_BY_KEY['delta1'], True, 'aligned'),
    Column(_BY_KEY['order'], True),
    Column(_BY_KEY['boundary_f1'], True),
)


def set_rows(evaluation: Evaluation) -> list[tuple[BagResult, list[SetRow]]]:
    """Return the rows of each set, in the order of the labels."""
    return [(bag, _rows(bag, evaluation)) for bag in evaluation.bags]


def _rows(bag: BagResult, evaluation: Evaluation) -> list[SetRow]:
    summaries = [summarise(label, [bag]) for label in evaluation.labels]
    columns = [_cells(each, summaries, evaluation.protocol.fitted) for each in COLUMNS]
    return [
        SetRow(summary.label, summary.frames, tuple(column[index] for column in columns))
        for index, summary in enumerate(summaries)
    ]


def _cells(column: Column, summaries: list[Summary], fitted: str) -> list[Cell]:
    return metric_cells(column.metric, fitted if column.aligned else 'none', summaries)
