"""The HTML page of the report: one file without scripts, images embedded."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
import re
from typing import Any

import jinja2
from markupsafe import Markup, escape

from flashdepth_ros.evaluation.evaluation import Evaluation
from flashdepth_ros.evaluation.protocol import ALIGNMENTS
from flashdepth_ros.evaluation.report.cells import Cell, metric_cells
from flashdepth_ros.evaluation.report.colour_bar import depth_bar, error_bar, gradients
from flashdepth_ros.evaluation.report.glossary import DEFINITIONS, metric_link
from flashdepth_ros.evaluation.report.headline import REFERENCES, cards, guides
from flashdepth_ros.evaluation.report.plots import (
    COLOURS,
    drift_plot,
    error_plot,
    range_plot,
    timing_plot,
)
from flashdepth_ros.evaluation.report.set_table import COLUMNS, set_rows
from flashdepth_ros.evaluation.results import DRIFT, METRICS, BagResult, ExampleFrame, Metric
from flashdepth_ros.evaluation.summary import Summary

ALIGNMENT_NAMES = {
    'none': 'As predicted',
    'scale': 'One scale for the sequence',
    'scale_shift': 'One scale and shift for the sequence',
    'frame': 'One scale and shift for each frame',
}
EXAMPLES_MAX = 2
"""Number of best and of worst frames shown of a candidate, over all bags."""
SLICES_MAX = 6
"""Number of bags whose columns over time are shown."""
_OVER_TIME = ('tae', 'flicker', 'scale_drift')
"""Metrics that still images do not have."""


@dataclass(frozen=True)
class Plot:
    """A plot with its heading, its caption, and its text alternative."""

    title: str
    caption: Markup
    svg: Markup
    alt: str


def render_page(evaluation: Evaluation) -> str:
    """Return report.html."""
    loader = jinja2.PackageLoader('flashdepth_ros.evaluation.report', '.')
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(uri=_data_uri, breakable=_breakable, formula=_formula)
    environment.globals.update(metric_link=metric_link, depth_bar=depth_bar, error_bar=error_bar)
    summaries, metrics = evaluation.summaries, _metrics(evaluation)
    style = loader.get_source(environment, 'page.css')[0]
    return environment.get_template('page.html.jinja').render(
        style=Markup(style),
        gradients={kind: Markup(css) for kind, css in gradients().items()},
        evaluation=evaluation,
        colours={label: index % COLOURS for index, label in enumerate(evaluation.labels)},
        cards=cards(evaluation, summaries),
        guides=guides(evaluation),
        references=REFERENCES,
        aligned=ALIGNMENT_NAMES[evaluation.protocol.fitted],
        metrics=metrics,
        groups=[_group(name, metrics, summaries) for name in _ordered_alignments(evaluation)],
        plots=list(_plots(evaluation, summaries)),
        latencies=[summary for summary in summaries if summary.stages],
        slices=_slices(evaluation),
        galleries=[_gallery(evaluation, label) for label in evaluation.labels],
        bags=evaluation.bags,
        set_columns=COLUMNS,
        sets=set_rows(evaluation),
        protocol=asdict(evaluation.protocol),
        shown=ALIGNMENT_NAMES[evaluation.protocol.alignment],
        definitions=DEFINITIONS,
    )


def _ordered_alignments(evaluation: Evaluation) -> list[str]:
    """Return the alignments, first the one of the plots and pictures."""
    return sorted(ALIGNMENTS, key=lambda name: name != evaluation.protocol.alignment)


def _metrics(evaluation: Evaluation) -> list[Metric]:
    """Return the columns of the summary; still images have none over time."""
    every = (*METRICS, DRIFT)
    return [each for each in every if not (evaluation.stills and each.key in _OVER_TIME)]


def _group(alignment: str, metrics: Sequence[Metric], summaries: list[Summary]) -> dict[str, Any]:
    columns = [metric_cells(metric, alignment, summaries) for metric in metrics]
    rows: Iterator[tuple[Cell, ...]] = zip(*columns, strict=True)
    return {
        'name': ALIGNMENT_NAMES[alignment],
        'rows': [(each.label, row) for each, row in zip(summaries, rows, strict=True)],
    }


def _plots(evaluation: Evaluation, summaries: list[Summary]) -> Iterator[Plot]:
    shown = evaluation.protocol.alignment

    def join(values: list[str]) -> str:
        pairs = zip(evaluation.labels, values, strict=True)
        return '; '.join(f'{label}: {value}' for label, value in pairs)

    errors = [f'{each.scores[shown]["abs_rel"]:.3f}' for each in summaries]
    yield Plot(
        'Error of each frame',
        Markup('{} of every frame, one {} after the other.').format(
            metric_link('abs_rel'), 'set' if evaluation.stills else 'recording'
        ),
        Markup(error_plot(evaluation)),
        f'Line plot of AbsRel over frames. Mean: {join(errors)}.',
    )
    if not evaluation.stills:
        drifts = [DRIFT.format(each.scale_drift) + ' %' for each in summaries]
        yield Plot(
            'Scale over time',
            Markup('{} over the first x frames of a recording.').format(
                metric_link('scale_drift', 'Scale drift')
            ),
            Markup(drift_plot(evaluation)),
            f'Line plot of scale drift over the first x frames. All frames: {join(drifts)}.',
        )
    yield Plot(
        'Error by depth',
        Markup('{} by range of true depth, and the fraction of pixels in each range.').format(
            metric_link('abs_rel')
        ),
        Markup(range_plot(evaluation)),
        'Bar chart of AbsRel by range of true depth; the same figures are in report.json.',
    )
    if any(summary.stages for summary in summaries):
        latencies = [
            f'{each.stages[-1].p50_ms:.0f} ms' if each.stages else 'n/a' for each in summaries
        ]
        yield Plot(
            'Latency',
            Markup('Histogram of the {}; the last bin has the slowest 1 % of frames.').format(
                metric_link('latency')
            ),
            Markup(timing_plot(evaluation)),
            f'Histogram of latency. Median: {join(latencies)}.',
        )


def _slices(evaluation: Evaluation) -> list[dict[str, Any]]:
    return [_bag_slices(bag) for bag in evaluation.bags if bag.slices][:SLICES_MAX]


def _bag_slices(bag: BagResult) -> dict[str, Any]:
    rows = [*bag.slices.items(), *((each.label, each.time_slice) for each in bag.candidates)]
    return {
        'bag': bag.bag,
        'seconds': bag.slice_s,
        'colours': bag.slice_colours,
        'rows': [(name, picture) for name, picture in rows if picture],
    }


def _gallery(evaluation: Evaluation, label: str) -> dict[str, Any]:
    results = [each for bag in evaluation.bags for each in bag.candidates if each.label == label]
    best = sorted((frame for each in results for frame in each.best), key=_error)
    worst = sorted((frame for each in results for frame in each.worst), key=_error, reverse=True)
    rows = [('best', frame) for frame in best[:EXAMPLES_MAX]]
    rows += [('worst', frame) for frame in worst[:EXAMPLES_MAX]]
    return {'label': label, 'rows': rows}


def _error(frame: ExampleFrame) -> float:
    return frame.abs_rel


def _breakable(name: str) -> Markup:
    """Return a name that may wrap after its separators, so that its words stay whole."""
    return Markup(re.sub(r'([-_/.,=:+]+)', r'\1<wbr>', str(escape(name))))


def _formula(text: str) -> str:
    """Return a text whose formulas do not wrap at operators."""
    return re.sub(r' ([-+/=<>∩]) ', '\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}', text)


def _data_uri(picture: bytes) -> str:
    kind = 'png' if picture.startswith(b'\x89PNG') else 'jpeg'
    return f'data:image/{kind};base64,{b64encode(picture).decode("ascii")}'
