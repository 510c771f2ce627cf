"""Contact sheet: time steps from left to right, each image above its depth, one colour scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.camera.geometry import invert
from flashdepth_ros.errors import InputError
from flashdepth_ros.messages import colorize
from flashdepth_ros.presentation.text import BACKGROUND, draw_text, vertical_text

UInt8 = npt.NDArray[np.uint8]

TILE_WIDTH = 320
_GAP = 8
_LABEL = 34
_COLOUR_BAR = 96
_TICKS_M = (0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)


@dataclass(frozen=True)
class DepthRange:
    """Range of the colours of depth, in metres; the node's `color.min` and `color.max`."""

    minimum: float = 0.5
    maximum: float = 20.0


@dataclass(frozen=True)
class TimeStep:
    """
    The image of one time step, its depth in colour and, if known, the true depth in colour.

    All are RGB (H, W, 3) with the same aspect ratio.
    """

    time_s: float
    image: UInt8
    depth: UInt8
    truth: UInt8 | None = None


def contact_sheet(steps: Sequence[TimeStep], colours: DepthRange) -> UInt8:
    """
    Return the sheet (H, W, 3) RGB; true depth is a third row if any time step has it.

    :raises InputError: there are no time steps.
    """
    if not steps:
        raise InputError('a contact sheet without time steps; at least one is needed')
    height, width = steps[0].image.shape[:2]
    tile = (TILE_WIDTH, max(1, round(TILE_WIDTH * height / width)))
    rows: list[tuple[str, list[UInt8 | None]]] = [
        ('image', [step.image for step in steps]),
        ('depth', [step.depth for step in steps]),
    ]
    if any(step.truth is not None for step in steps):
        rows.append(('true depth', [step.truth for step in steps]))
    sheet = _blank_sheet(len(steps), len(rows), tile)
    for column, step in enumerate(steps):
        x = _left(column, tile) + tile[0] // 2
        draw_text(sheet, f'{step.time_s:.1f} s', (x, _LABEL // 2))
    for row, (name, images) in enumerate(rows):
        y = _top(row, tile)
        sheet[y : y + tile[1], :_LABEL] = vertical_text(name, _LABEL, tile[1])
        for column, image in enumerate(images):
            x = _left(column, tile)
            sheet[y : y + tile[1], x : x + tile[0]] = _resized(image, tile)
    _draw_colour_bar(sheet, colours, _left(len(steps), tile), (_top(1, tile), tile[1]))
    return sheet


def _blank_sheet(columns: int, rows: int, tile: tuple[int, int]) -> UInt8:
    return np.full((_top(rows, tile), _left(columns, tile) + _COLOUR_BAR, 3), BACKGROUND, np.uint8)


def _left(column: int, tile: tuple[int, int]) -> int:
    return _LABEL + column * (tile[0] + _GAP)


def _top(row: int, tile: tuple[int, int]) -> int:
    return _LABEL + row * (tile[1] + _GAP)


def _resized(image: UInt8 | None, tile: tuple[int, int]) -> UInt8:
    if image is None:
        return np.full((tile[1], tile[0], 3), BACKGROUND, np.uint8)
    shrinks = image.shape[1] > tile[0]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(image, tile, interpolation=interpolation), np.uint8)


def _draw_colour_bar(sheet: UInt8, colours: DepthRange, x: int, rows: tuple[int, int]) -> None:
    """Draw the colour bar beside the row (top, height), the nearest depth at the bottom."""
    top, height = rows
    bar_width = _COLOUR_BAR // 4
    inverse = np.linspace(1 / colours.maximum, 1 / colours.minimum, height, dtype=np.float32)
    bar = np.repeat(invert(inverse)[:, np.newaxis], bar_width, axis=1)
    sheet[top : top + height, x : x + bar_width] = colorize(bar, colours.minimum, colours.maximum)
    previous = -np.inf
    for depth in sorted({colours.minimum, colours.maximum, *_TICKS_M}, reverse=True):
        share = (1 / depth - inverse[0]) / (inverse[-1] - inverse[0])
        y = top + round(share * (height - 1))
        # Skip a tick that would overlap the one above it or the last one.
        overlaps = y - previous < 16 or 0 < top + height - 1 - y < 16
        if 0 <= share <= 1 and not overlaps:
            draw_text(sheet, f'{depth:g} m', (x + bar_width + 36, y), size_px=13)
            previous = y
