"""Plots of the report, as SVG with the colours and the font of the page."""

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

#: Placeholders for variables of the style sheet, which has a light and a dark theme.
_TEXT, _LINE = '#010203', '#040506'
_VARIABLES = {_TEXT: 'var(--ink)', _LINE: 'var(--line)'}
COLOURS = 8
"""Number of different colours of candidates."""
_POINTS_MAX = 600
_SIZE_IN = (5.0, 3.1)
_STYLE: dict[Any, Any] = {
    'svg.fonttype': 'none',
    'font.size': 10.5,
    'text.color': _TEXT,
    'axes.labelcolor': _TEXT,
    'axes.edgecolor': _LINE,
    'axes.grid': True,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.axisbelow': True,
    'grid.color': _LINE,
    'xtick.color': _TEXT,
    'ytick.color': _TEXT,
    'lines.linewidth': 1.8,
}


def drift_plot(evaluation: Evaluation) -> str:
    """Plot the deviation of the frames' own scales over the first x frames."""
    figure, axes = _figure('number of frames', 'scale drift (%)')
    for index, summary in enumerate(evaluation.summaries):
        curve = 100 * np.array(summary.drift_curve)
        x, y = _reduced(curve)
        axes.plot(x + 1, y, color=_colour(index), label=summary.label)
    axes.set_ylim(bottom=0)
    return _svg(figure, 'drift')


def error_plot(evaluation: Evaluation) -> str:
    """Plot AbsRel of every frame, one bag after the other."""
    figure, axes = _figure('frame', 'AbsRel')
    for index, label in enumerate(evaluation.labels):
        frames = [frame for frame in _frames(evaluation, label) if frame.scores]
        x, y = _reduced(np.array([_error(frame, evaluation) for frame in frames]))
        axes.plot(x, y, color=_colour(index), label=label, linewidth=1.3)
    axes.set_ylim(bottom=0)
    return _svg(figure, 'error')


def range_plot(evaluation: Evaluation) -> str:
    """Plot AbsRel by range of true depth, and the fraction of pixels in each range."""
    figure, axes = _figure('true depth (m), fraction of pixels', 'AbsRel')
    by_candidate = {
        index: each.ranges for index, each in enumerate(evaluation.summaries) if each.ranges
    }
    width = 0.8 / max(1, len(by_candidate))
    for number, (index, ranges) in enumerate(by_candidate.items()):
        x = np.arange(len(ranges.pixels)) + width * (number - (len(by_candidate) - 1) / 2)
        axes.bar(x, np.nan_to_num(ranges.abs_rel), width, color=_colour(index))
    total = next((ranges for ranges in by_candidate.values() if ranges.pixels.any()), None)
    if total is not None:
        used = np.flatnonzero(total.pixels)
        axes.set_xticks(range(len(total.pixels)), list(_range_names(total)), fontsize=9)
        axes.set_xlim(used[0] - 0.6, used[-1] + 0.6)
    axes.grid(visible=False, axis='x')
    return _svg(figure, 'ranges')


def _range_names(ranges: RangeErrors) -> Iterator[str]:
    percents = 100 * ranges.pixels / max(1.0, ranges.pixels.sum())
    for near, far, percent in zip(ranges.edges_m[:-1], ranges.edges_m[1:], percents, strict=True):
        yield f'{near:g}-{far:g}\n{percent:.0f} %'


def timing_plot(evaluation: Evaluation) -> str:
    """Plot a histogram of the latency of the frames."""
    figure, axes = _figure('latency (ms)', 'frames')
    times = {
        index: np.array([frame.total_ms for frame in _frames(evaluation, label)])
        for index, label in enumerate(evaluation.labels)
    }
    times = {index: a for index, a in times.items() if np.isfinite(a).all() and a.size}
    if times:
        all_times = np.concatenate(list(times.values()))
        # A slow first frame must not compress all others into one bin.
        bins = np.linspace(all_times.min(), np.percentile(all_times, 99), 41)
        for index, values in times.items():
            clipped = values.clip(max=bins[-1])
            axes.hist(clipped, bins.tolist(), color=_colour(index), alpha=0.25)
            axes.hist(clipped, bins.tolist(), color=_colour(index), histtype='step', linewidth=1.5)
    return _svg(figure, 'timing')


def _figure(x: str, y: str) -> tuple[Figure, Axes]:
    with rc_context(_STYLE):
        figure = Figure(_SIZE_IN, layout='constrained')
        axes = figure.add_subplot()
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.tick_params(length=0)
    return figure, axes


def _colour(index: int) -> str:
    index %= COLOURS
    _VARIABLES.setdefault(f'#0a0b{index:02x}', f'var(--c{index})')
    return f'#0a0b{index:02x}'


def _svg(figure: Figure, name: str) -> str:
    """Return the figure as an SVG element; element ids are unique in the page."""
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
    text = re.sub(r'font: [^;"]*;? ?', _keep_font_size, text)
    return re.sub(
        r'<svg [^>]*viewBox="([^"]*)"[^>]*>',
        r'<svg viewBox="\1" aria-hidden="true">',
        text,
        count=1,
    )


def _keep_font_size(font: re.Match[str]) -> str:
    size = re.search(r'[\d.]+px', font.group())
    return f'font-size: {size.group()}; ' if size else ''


def _reduced(y: npt.NDArray[np.floating]) -> tuple[npt.NDArray[Any], npt.NDArray[np.floating]]:
    """Return x = 0, 1, ... and y, or the means of consecutive values if there are many."""
    stride = max(1, -(-len(y) // _POINTS_MAX))
    used = len(y) // stride * stride
    means = y[:used].reshape(-1, stride).mean(axis=1)
    return stride * np.arange(len(means)), means


def _frames(evaluation: Evaluation, label: str) -> list[FrameResult]:
    results = [each for bag in evaluation.bags for each in bag.candidates if each.label == label]
    return [frame for each in results for frame in each.frames]


def _error(frame: FrameResult, evaluation: Evaluation) -> float:
    return frame.scores.get(evaluation.protocol.alignment, {}).get('abs_rel', np.nan)
