"""Table cells with the figures of the candidates, the best one highlighted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flashdepth_ros.evaluation.results import DRIFT, Metric
from flashdepth_ros.evaluation.summary import Summary


@dataclass(frozen=True)
class Cell:
    """A figure as text, and whether it is the best of the candidates."""

    text: str
    best: bool = False


def metric_cells(metric: Metric, alignment: str, summaries: Sequence[Summary]) -> list[Cell]:
    """Return the cells of a metric, one per candidate."""
    values = [
        each.scale_drift if metric is DRIFT else each.scores[alignment][metric.key]
        for each in summaries
    ]
    texts = [metric.format(value) for value in values]
    known = [value for value in values if np.isfinite(value)]
    if len(set(texts)) < 2 or not known:
        return [Cell(text) for text in texts]
    best = metric.format(max(known) if metric.larger_is_better else min(known))
    return [Cell(text, best=text == best) for text in texts]
