"""The page that people look at: one file, no script, no network."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import jinja2
from markupsafe import Markup
import numpy as np

from flashdepth_ros.evaluation.evaluation import Evaluation
from flashdepth_ros.evaluation.protocol import ALIGNMENTS
from flashdepth_ros.evaluation.report.plots import (
    COLOURS,
    drift_plot,
    error_plot,
    range_plot,
    timing_plot,
)
from flashdepth_ros.evaluation.results import DRIFT, METRICS, BagResult, Exhibit, Metric
from flashdepth_ros.evaluation.summary import Summary

ALIGNMENT_NAMES = {
    'none': 'As predicted',
    'scale': 'One scale for the sequence',
    'scale_shift': 'One scale and shift for the sequence',
    'frame': 'One scale and shift for each frame',
}
EXHIBITS_MAX = 2
"""Of the best and of the worst frames of a candidate, over all bags."""
SLICES_MAX = 6
"""Of bags whose columns over time are shown."""


@dataclass(frozen=True)
class Cell:
    """A figure of a table; the best of its column stands out."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Plot:
    """A drawing, its heading, and what it says to those who do not see it."""

    title: str
    text: str
    svg: Markup
    alt: str


def page(evaluation: Evaluation) -> str:
    """Return report.html."""
    loader = jinja2.PackageLoader('flashdepth_ros.evaluation.report', '.')
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters['uri'] = _uri
    summaries = evaluation.summaries
    source = loader.get_source(environment, 'page.css')[0]
    return environment.get_template('page.html.jinja').render(
        style=Markup(source),
        evaluation=evaluation,
        summaries=summaries,
        colours={label: place % COLOURS for place, label in enumerate(evaluation.labels)},
        cards=[_card(summary, evaluation) for summary in summaries],
        metrics=(*METRICS, DRIFT),
        groups=[_group(name, summaries) for name in _in_order(evaluation)],
        plots=list(_plots(evaluation, summaries)),
        latencies=[summary for summary in summaries if summary.stages],
        slices=_slices(evaluation),
        galleries=[_gallery(evaluation, label) for label in evaluation.labels],
        bags=evaluation.bags,
        protocol=asdict(evaluation.protocol),
        shown=ALIGNMENT_NAMES[evaluation.protocol.alignment],
    )


def _in_order(evaluation: Evaluation) -> list[str]:
    """Return the alignments, the one that is shown first."""
    return sorted(ALIGNMENTS, key=lambda name: name != evaluation.protocol.alignment)


def _card(summary: Summary, evaluation: Evaluation) -> dict[str, Any]:
    """Return what stands large at the top for one candidate."""
    scores = summary.scores[evaluation.protocol.alignment]
    by_key = {metric.key: metric for metric in METRICS}
    figures = [
        (by_key[key].label, by_key[key].text(scores[key]), by_key[key].unit)
        for key in ('abs_rel', 'delta1', 'boundary_f1', 'flicker')
    ]
    if np.isfinite(summary.fps):
        figures.append(('speed', f'{summary.fps:.1f}', 'fps'))
    return {'label': summary.label, 'frames': summary.frames, 'figures': figures}


def _group(alignment: str, summaries: list[Summary]) -> dict[str, Any]:
    columns = [_column(metric, alignment, summaries) for metric in (*METRICS, DRIFT)]
    rows = zip(*columns, strict=True)
    return {
        'name': ALIGNMENT_NAMES[alignment],
        'rows': [(each.label, row) for each, row in zip(summaries, rows, strict=True)],
    }


def _column(metric: Metric, alignment: str, summaries: list[Summary]) -> list[Cell]:
    values = [
        each.scale_drift if metric is DRIFT else each.scores[alignment][metric.key]
        for each in summaries
    ]
    texts = [metric.text(value) for value in values]
    known = [value for value in values if np.isfinite(value)]
    if len(set(texts)) < 2 or not known:
        return [Cell(text) for text in texts]
    best = metric.text(max(known) if metric.larger_is_better else min(known))
    return [Cell(text, best=text == best) for text in texts]


def _plots(evaluation: Evaluation, summaries: list[Summary]) -> Iterator[Plot]:
    shown = evaluation.protocol.alignment

    def listed(values: list[str]) -> str:
        pairs = zip(evaluation.labels, values, strict=True)
        return '; '.join(f'{label}: {value}' for label, value in pairs)

    errors = [f'{each.scores[shown]["abs_rel"]:.3f}' for each in summaries]
    yield Plot(
        'Error, frame by frame',
        'Relative error of every frame, the bags one after the other.',
        Markup(error_plot(evaluation)),
        f'Line plot of AbsRel over frames. Mean: {listed(errors)}.',
    )
    drifts = [DRIFT.text(each.scale_drift) + ' %' for each in summaries]
    yield Plot(
        'Scale drift',
        "How far the single frames' own best scales spread as a sequence gets longer.",
        Markup(drift_plot(evaluation)),
        f'Line plot of scale drift over the first x frames. Over all: {listed(drifts)}.',
    )
    yield Plot(
        'Error by depth',
        'Relative error of the pixels in each range of true depth, and how many lie there.',
        Markup(range_plot(evaluation)),
        'Bar chart of AbsRel by range of true depth; the same figures are in report.json.',
    )
    if any(summary.stages for summary in summaries):
        latencies = [
            f'{each.stages[-1].p50_ms:.0f} ms' if each.stages else 'n/a' for each in summaries
        ]
        yield Plot(
            'Latency',
            'How often a frame takes how long, from the decoded image to metres; the slowest '
            'hundredth in the last bar.',
            Markup(timing_plot(evaluation)),
            f'Histogram of latency. Median: {listed(latencies)}.',
        )


def _slices(evaluation: Evaluation) -> list[dict[str, Any]]:
    return [_bag_slices(bag) for bag in evaluation.bags if bag.slices][:SLICES_MAX]


def _bag_slices(bag: BagResult) -> dict[str, Any]:
    rows = [*bag.slices.items(), *((each.label, each.time_slice) for each in bag.candidates)]
    return {
        'bag': bag.bag,
        'seconds': bag.slice_s,
        'rows': [(name, picture) for name, picture in rows if picture],
    }


def _gallery(evaluation: Evaluation, label: str) -> dict[str, Any]:
    results = [each for bag in evaluation.bags for each in bag.candidates if each.label == label]
    best = [exhibit for each in results for exhibit in each.best]
    worst = [exhibit for each in results for exhibit in each.worst]
    best.sort(key=_error)
    worst.sort(key=_error, reverse=True)
    return {'label': label, 'rows': [*_named('best', best), *_named('worst', worst)]}


def _named(kind: str, exhibits: list[Exhibit]) -> list[tuple[str, Exhibit]]:
    return [(kind, exhibit) for exhibit in exhibits[:EXHIBITS_MAX]]


def _error(exhibit: Exhibit) -> float:
    return exhibit.abs_rel


def _uri(picture: bytes) -> str:
    """Return a picture as an address that holds it."""
    kind = 'png' if picture.startswith(b'\x89PNG') else 'jpeg'
    return f'data:image/{kind};base64,{b64encode(picture).decode("ascii")}'
