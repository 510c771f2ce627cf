"""The headline of the report: the main figures of each candidate, and what good values are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from flashdepth_ros.evaluation.evaluation import Evaluation
from flashdepth_ros.evaluation.report.cells import Cell, metric_cells
from flashdepth_ros.evaluation.results import DRIFT, METRICS
from flashdepth_ros.evaluation.summary import Summary, mean

_KEYS = ('abs_rel', 'delta1', 'boundary_f1', 'tae')
_STILL_KEYS = ('abs_rel', 'delta1', 'order', 'boundary_f1')
_BY_KEY = {metric.key: metric for metric in METRICS}

REFERENCES = (
    'Depth Pro, arXiv:2410.02073, tables 1, 2 and 4',
    'Video Depth Anything, arXiv:2501.12375, table 1',
    'FlashDepth, arXiv:2504.07093',
)
"""Sources of the published figures, cited as [1], [2], ..."""


@dataclass(frozen=True)
class Row:
    """A metric of a card: one cell for each column, or one for both columns."""

    key: str
    larger_is_better: bool
    cells: tuple[Cell, ...]
    unit: str = ''
    note: str = ''


@dataclass(frozen=True)
class Card:
    """The main figures of a candidate."""

    label: str
    frames: int
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Guide:
    """What a good value of a metric is."""

    key: str
    larger_is_better: bool
    ideal: str
    published: str


def cards(evaluation: Evaluation, summaries: list[Summary]) -> list[Card]:
    """Return a card for each candidate."""
    # No alignment changes the order, but only the aligned scores include images without K.
    alignments = ('none', evaluation.protocol.fitted)
    keys = _STILL_KEYS if evaluation.stills else _KEYS
    columns = {
        key: [metric_cells(_BY_KEY[key], name, summaries) for name in alignments] for key in keys
    }
    drifts = metric_cells(DRIFT, 'none', summaries)
    result = []
    for index, summary in enumerate(summaries):
        rows = [
            Row(
                key,
                _BY_KEY[key].larger_is_better,
                tuple(column[index] for column in columns[key][key == 'order' :]),
                _BY_KEY[key].unit,
            )
            for key in keys
        ]
        if not evaluation.stills:
            drift = (drifts[index],)
            rows.append(Row('scale_drift', False, drift, DRIFT.unit, 'without alignment'))
        rows.extend(_speed(summary, evaluation))
        result.append(Card(summary.label, summary.frames, tuple(rows)))
    return result


def _speed(summary: Summary, evaluation: Evaluation) -> Iterator[Row]:
    if np.isfinite(summary.fps):
        device = evaluation.facts[summary.label]['device_name']
        yield Row('fps', True, (Cell(f'{summary.fps:.1f}'),), 'fps', f'on {device}')


def guides(evaluation: Evaluation) -> list[Guide]:
    """Return what good values of the metrics of the headline are."""
    shown = (*_STILL_KEYS, 'fps') if evaluation.stills else (*_KEYS, 'scale_drift', 'fps')
    return [guide for guide in _guides(evaluation) if guide.key in shown]


def _guides(evaluation: Evaluation) -> list[Guide]:
    return [
        Guide(
            'abs_rel',
            False,
            '0 is perfect.',
            'As predicted: 0.11 (SUN RGB-D) to 0.51 (Sintel) for Depth Pro [1]. '
            'Aligned: 0.06 (NYUv2) to 0.34 (Sintel) for Video Depth Anything [2].',
        ),
        Guide(
            'delta1',
            True,
            '1 is perfect.',
            'As predicted: 0.40 (Sintel) to 0.89 (SUN RGB-D) for Depth Pro [1]. '
            'Aligned: 0.58 (Sintel) to 0.97 (NYUv2) for Video Depth Anything [2].',
        ),
        Guide(
            'order',
            True,
            '1 is perfect, 0.5 is chance.',
            'There is no common benchmark. Compare candidates on the same images.',
        ),
        Guide(
            'boundary_f1',
            True,
            '1 is perfect.',
            '0.08 (Spring), 0.18 (iBims) and 0.41 (Sintel) for Depth Pro; 0.06, 0.11 and 0.23 for '
            'Depth Anything V2 [1].',
        ),
        Guide(
            'tae',
            False,
            f'0 is perfect.{_truth_tae(evaluation)}',
            'ScanNet, aligned: 0.57 and 0.70 % for Video Depth Anything (L and S); 1.14 % for '
            'Depth Anything V2, which processes every frame alone [2].',
        ),
        Guide(
            'scale_drift',
            False,
            '0: the scale is constant over the sequence.',
            'There is no common benchmark. Compare candidates on the same recordings.',
        ),
        Guide(
            'fps',
            True,
            'Real time: at least the frame rate of the camera.',
            'FlashDepth: 24 fps at 2044 x 1148 px on an Nvidia A100 [3].',
        ),
    ]


def _truth_tae(evaluation: Evaluation) -> str:
    own = mean([bag.truth_tae for bag in evaluation.bags])
    if not np.isfinite(own):
        return ''
    return f' The ground truth itself has {_BY_KEY["tae"].format(own)} % here.'
