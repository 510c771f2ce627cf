"""A contact sheet: moments from left to right, the image above its depth, one scale of colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.camera.geometry import invert
from flashdepth_ros.errors import InputError
from flashdepth_ros.messages import colorize
from flashdepth_ros.presentation.lettering import PAPER, write_text, written_upwards

UInt8 = npt.NDArray[np.uint8]

TILE_WIDTH = 320
_GAP = 8
_LABEL = 34
_SCALE = 96
_TICKS_M = (0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)


@dataclass(frozen=True)
class DepthRange:
    """What the colours of a preview stand for, metres; the node's `color.min`, `color.max`."""

    minimum: float = 0.5
    maximum: float = 20.0


@dataclass(frozen=True)
class Moment:
    """
    One time step: the image, its depth as colour and, where it is known, the true depth as such.

    All (H, W, 3) RGB, of any size but of one shape.
    """

    time_s: float
    image: UInt8
    depth: UInt8
    truth: UInt8 | None = None


def contact_sheet(moments: Sequence[Moment], colours: DepthRange) -> UInt8:
    """
    Return the sheet (H, W, 3) RGB; the true depth is a third row where any moment has it.

    :raises InputError: there are no moments.
    """
    if not moments:
        raise InputError('a contact sheet of no moments; one is needed at least')
    height, width = moments[0].image.shape[:2]
    tile = (TILE_WIDTH, max(1, round(TILE_WIDTH * height / width)))
    rows: list[tuple[str, list[UInt8 | None]]] = [
        ('image', [moment.image for moment in moments]),
        ('depth', [moment.depth for moment in moments]),
    ]
    if any(moment.truth is not None for moment in moments):
        rows.append(('true depth', [moment.truth for moment in moments]))
    sheet = _paper(len(moments), len(rows), tile)
    for column, moment in enumerate(moments):
        x = _left(column, tile) + tile[0] // 2
        write_text(sheet, f'{moment.time_s:.1f} s', (x, _LABEL // 2))
    for row, (name, pictures) in enumerate(rows):
        y = _top(row, tile)
        sheet[y : y + tile[1], :_LABEL] = written_upwards(name, _LABEL, tile[1])
        for column, picture in enumerate(pictures):
            x = _left(column, tile)
            sheet[y : y + tile[1], x : x + tile[0]] = _fitted(picture, tile)
    _draw_scale(sheet, colours, _left(len(moments), tile), (_top(1, tile), tile[1]))
    return sheet


def _paper(columns: int, rows: int, tile: tuple[int, int]) -> UInt8:
    return np.full((_top(rows, tile), _left(columns, tile) + _SCALE, 3), PAPER, np.uint8)


def _left(column: int, tile: tuple[int, int]) -> int:
    return _LABEL + column * (tile[0] + _GAP)


def _top(row: int, tile: tuple[int, int]) -> int:
    return _LABEL + row * (tile[1] + _GAP)


def _fitted(picture: UInt8 | None, tile: tuple[int, int]) -> UInt8:
    if picture is None:
        return np.full((tile[1], tile[0], 3), PAPER, np.uint8)
    shrinks = picture.shape[1] > tile[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(picture, tile, interpolation=how), np.uint8)


def _draw_scale(sheet: UInt8, colours: DepthRange, x: int, rows: tuple[int, int]) -> None:
    """Draw the colours of depths beside the row (top, height): the nearest below."""
    top, height = rows
    bar_width = _SCALE // 4
    inverse = np.linspace(1 / colours.maximum, 1 / colours.minimum, height, dtype=np.float32)
    bar = np.repeat(invert(inverse)[:, np.newaxis], bar_width, axis=1)
    sheet[top : top + height, x : x + bar_width] = colorize(bar, colours.minimum, colours.maximum)
    previous = -np.inf
    for depth in sorted({colours.minimum, colours.maximum, *_TICKS_M}, reverse=True):
        share = (1 / depth - inverse[0]) / (inverse[-1] - inverse[0])
        y = top + round(share * (height - 1))
        # A tick keeps clear of the one above it, and of the last.
        crowded = y - previous < 16 or 0 < top + height - 1 - y < 16
        if 0 <= share <= 1 and not crowded:
            write_text(sheet, f'{depth:g} m', (x + bar_width + 36, y), size_px=13)
            previous = y
