"""Colour bars: the colours of depth in metres, and of the relative error in per cent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flashdepth_ros.evaluation.pictures import ERROR_MAX, error_colours
from flashdepth_ros.messages import colorize
from flashdepth_ros.presentation import DepthRange

_STOPS = 33
_TICKS_M = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 70, 100)
_GAP_PERCENT = 10.0
_LAST_GAP_PERCENT = 15.0
"""Minimum distances of tick labels, so that they do not overlap on a narrow screen."""


@dataclass(frozen=True)
class Tick:
    """A label at a position along the bar, from the left, in per cent."""

    percent: float
    text: str


@dataclass(frozen=True)
class ColourBar:
    """The ticks and the text alternative of a bar; the style sheet has its colours."""

    kind: str
    title: str
    ticks: tuple[Tick, ...]

    @property
    def description(self) -> str:
        """Return the text alternative."""
        labels = ', '.join(tick.text for tick in self.ticks)
        return f'Colour bar, {self.title}: {labels}'


def depth_bar(colours: DepthRange) -> ColourBar:
    """Return the bar of a depth range: the nearest depth on the left, even in inverse depth."""
    return ColourBar('depth', 'depth in metres', tuple(_depth_ticks(colours)))


def error_bar() -> ColourBar:
    """Return the bar of the relative error."""
    percents = (0, 20, 40, 60, 100)
    labels = [f'{percent * ERROR_MAX:g}' for percent in percents[:-1]]
    last = f'≥ {100 * ERROR_MAX:g}'
    ticks = (Tick(*pair) for pair in zip(percents, [*labels, last], strict=True))
    return ColourBar('error', 'relative error in %', tuple(ticks))


def gradients() -> dict[str, str]:
    """Return the colours of each kind of bar as CSS gradients from left to right."""
    # The colours are even in inverse depth, so that they are the same for every range.
    inverse = np.linspace(1.0, 0.1, _STOPS, dtype=np.float32)
    return {
        'depth': _gradient(colorize(np.float32(1.0) / inverse[np.newaxis], 1.0, 10.0)[0]),
        'error': _gradient(error_colours(np.linspace(0, 1, _STOPS)[np.newaxis])[0]),
    }


def _gradient(colours: npt.NDArray[np.uint8]) -> str:
    stops = ', '.join('#' + bytes(colour.tolist()).hex() for colour in colours)
    return f'linear-gradient(to right, {stops})'


def _depth_ticks(colours: DepthRange) -> Iterator[Tick]:
    near, far = colours.minimum, colours.maximum
    yield Tick(0.0, _length(near))
    previous = 0.0
    for depth in _TICKS_M:
        percent = 100 * (1 / near - 1 / depth) / (1 / near - 1 / far)
        if percent - previous >= _GAP_PERCENT and percent <= 100 - _LAST_GAP_PERCENT:
            yield Tick(percent, f'{depth:g}')
            previous = percent
    yield Tick(100.0, _length(far))


def _length(depth_m: float) -> str:
    return f'{depth_m:.3g}' if depth_m >= 10 else f'{depth_m:.2g}'
