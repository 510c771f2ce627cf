"""The plots of a report, as SVG that takes its colours and letters from the page around it."""

from __future__ import annotations

from collections.abc import Iterator
import io
import re
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
import numpy as np
import numpy.typing as npt

from flashdepth_ros.evaluation.evaluation import Evaluation
from flashdepth_ros.evaluation.results import FrameResult, RangeErrors

#: Placeholders; each becomes a variable of the page's style sheet, which knows light and dark.
_INK, _FAINT = '#010203', '#040506'
_VARIABLES = {_INK: 'var(--ink)', _FAINT: 'var(--line)'}
COLOURS = 8
"""So many candidates have a colour of their own."""
_POINTS_MAX = 600
_SIZE_IN = (5.0, 3.1)
_STYLE: dict[Any, Any] = {
    'svg.fonttype': 'none',
    'font.size': 10.5,
    'text.color': _INK,
    'axes.labelcolor': _INK,
    'axes.edgecolor': _FAINT,
    'axes.grid': True,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.axisbelow': True,
    'grid.color': _FAINT,
    'xtick.color': _INK,
    'ytick.color': _INK,
    'lines.linewidth': 1.8,
}


def drift_plot(evaluation: Evaluation) -> str:
    """Return how the frames' own scales spread the longer a sequence gets."""
    figure, axes = _figure('first x frames', 'scale drift (%)')
    for place, summary in enumerate(evaluation.summaries):
        curve = 100 * np.array(summary.drift_curve)
        x, y = _thinned(curve)
        axes.plot(x + 1, y, color=_colour(place), label=summary.label)
    axes.set_ylim(bottom=0)
    return _svg(figure, 'drift')


def error_plot(evaluation: Evaluation) -> str:
    """Return AbsRel frame by frame, the bags one after the other."""
    figure, axes = _figure('frame', 'AbsRel')
    for place, label in enumerate(evaluation.labels):
        frames = [frame for frame in _frames(evaluation, label) if frame.scores]
        x, y = _thinned(np.array([_error(frame, evaluation) for frame in frames]))
        axes.plot(x, y, color=_colour(place), label=label, linewidth=1.3)
    axes.set_ylim(bottom=0)
    return _svg(figure, 'error')


def range_plot(evaluation: Evaluation) -> str:
    """Return AbsRel by true depth, and the share of the pixels that lie there."""
    figure, axes = _figure('true depth (m), share of pixels', 'AbsRel')
    found = {place: each.ranges for place, each in enumerate(evaluation.summaries) if each.ranges}
    width = 0.8 / max(1, len(found))
    for number, (place, ranges) in enumerate(found.items()):
        x = np.arange(len(ranges.pixels)) + width * (number - (len(found) - 1) / 2)
        axes.bar(x, np.nan_to_num(ranges.abs_rel), width, color=_colour(place))
    total = next((ranges for ranges in found.values() if ranges.pixels.any()), None)
    if total is not None:
        inside = np.flatnonzero(total.pixels)
        axes.set_xticks(range(len(total.pixels)), list(_range_names(total)), fontsize=9)
        axes.set_xlim(inside[0] - 0.6, inside[-1] + 0.6)
    axes.grid(visible=False, axis='x')
    return _svg(figure, 'ranges')


def _range_names(ranges: RangeErrors) -> Iterator[str]:
    shares = 100 * ranges.pixels / max(1.0, ranges.pixels.sum())
    for near, far, share in zip(ranges.edges_m[:-1], ranges.edges_m[1:], shares, strict=True):
        yield f'{near:g}-{far:g}\n{share:.0f} %'


def timing_plot(evaluation: Evaluation) -> str:
    """Return how often a frame takes how long."""
    figure, axes = _figure('latency (ms)', 'frames')
    times = {
        place: np.array([frame.total_ms for frame in _frames(evaluation, label)])
        for place, label in enumerate(evaluation.labels)
    }
    times = {place: a for place, a in times.items() if np.isfinite(a).all() and a.size}
    if times:
        together = np.concatenate(list(times.values()))
        # A first slow frame must not squeeze all others into one bar.
        bins = np.linspace(together.min(), np.percentile(together, 99), 41)
        for place, values in times.items():
            shown = values.clip(max=bins[-1])
            axes.hist(shown, bins.tolist(), color=_colour(place), alpha=0.25)
            axes.hist(shown, bins.tolist(), color=_colour(place), histtype='step', linewidth=1.5)
    return _svg(figure, 'timing')


def _figure(x: str, y: str) -> tuple[Figure, Axes]:
    with rc_context(_STYLE):
        figure = Figure(_SIZE_IN, layout='constrained')
        axes = figure.add_subplot()
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.tick_params(length=0)
    return figure, axes


def _colour(place: int) -> str:
    place %= COLOURS
    _VARIABLES.setdefault(f'#0a0b{place:02x}', f'var(--c{place})')
    return f'#0a0b{place:02x}'


def _svg(figure: Figure, name: str) -> str:
    """Return the figure as an element for the page; no two figures share an identifier."""
    figure.patch.set_alpha(0)
    figure.axes[0].patch.set_alpha(0)
    file = io.StringIO()
    with rc_context({**_STYLE, 'svg.hashsalt': name}):
        figure.savefig(file, format='svg', metadata={'Date': None, 'Creator': None})
    text = file.getvalue()
    text = text[text.index('<svg') :]
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    text = re.sub(r'<metadata>.*?</metadata>', '', text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', '<g', text)
    text = re.sub(r'font: [^;"]*;? ?', _only_size, text)
    return re.sub(
        r'<svg [^>]*viewBox="([^"]*)"[^>]*>',
        r'<svg viewBox="\1" aria-hidden="true">',
        text,
        count=1,
    )


def _only_size(font: re.Match[str]) -> str:
    size = re.search(r'[\d.]+px', font.group())
    return f'font-size: {size.group()}; ' if size else ''


def _thinned(y: npt.NDArray[np.floating]) -> tuple[npt.NDArray[Any], npt.NDArray[np.floating]]:
    """Return the places 0, 1, ... of values and these; of many, the means of neighbours."""
    stride = max(1, -(-len(y) // _POINTS_MAX))
    whole = len(y) // stride * stride
    means = y[:whole].reshape(-1, stride).mean(axis=1)
    return stride * np.arange(len(means)), means


def _frames(evaluation: Evaluation, label: str) -> list[FrameResult]:
    results = [each for bag in evaluation.bags for each in bag.candidates if each.label == label]
    return [frame for each in results for frame in each.frames]


def _error(frame: FrameResult, evaluation: Evaluation) -> float:
    return frame.scores.get(evaluation.protocol.alignment, {}).get('abs_rel', np.nan)
