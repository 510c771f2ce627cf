"""
How far the depth of a frame can be trusted, from depth alone.

What is wrong changes from frame to frame, and is near depth edges more often than elsewhere. The
doubt about a pixel is a relative error: how much its inverse depth has changed lately, in excess
of the scale of the whole frame and of a shift by one cell of a coarse grid, plus a share of the
depth jump at its place. A new sequence starts with a doubt that falls while frames agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.runtime.sequence import SequencePosition

Float32 = npt.NDArray[np.float32]

_SHORT_SIDE = 112
"""Of the coarse grid, cells."""
_FLOOR = 0.01
"""Added to inverse depth, as a share of its mean: changes of what is very far do not count."""
_MEMORY = 0.8
"""Weight of the changes before the last one."""
_START = 0.05
"""Mean change of a sequence before anything was compared."""
_SPREAD_CELLS = 3.0
_EDGE_SHARE = 0.05
_HALF = 0.03
"""Doubt at a confidence of 0.5."""
_CELLS = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class _Rated:
    """What is kept of a frame for the next one; both (h, w) on the coarse grid."""

    position: SequencePosition
    log_inverse_depth: Float32
    change: Float32


class ConfidenceRater:
    """Rates the depth of the frames of one stream, in order; keeps the last one, coarsely."""

    def __init__(self) -> None:
        self._last: _Rated | None = None

    def rate(self, inverse_depth: Float32, position: SequencePosition) -> Float32:
        """
        Return the confidence (H, W) of a frame: from 0 to 1, 0 where depth is unknown.

        The first frame of a sequence, after frames that were not rated, and of another size has
        no predecessor.

        :param inverse_depth: (H, W) of any scale, NaN where unknown.
        """
        height, width = inverse_depth.shape
        coarse = _coarse(inverse_depth)
        unknown = np.isnan(coarse)
        coarse[unknown] = 0.0
        log_inverse = np.log(coarse / max(float(coarse.mean()), 1e-9) + np.float32(_FLOOR))
        rated = _Rated(position, log_inverse, self._change(log_inverse, position))
        self._last = None if unknown.any() else rated
        confidence = np.float32(_HALF) / (np.float32(_HALF) + _doubt(rated))
        confidence[unknown] = 0.0
        full = cv2.resize(confidence, (width, height), interpolation=cv2.INTER_LINEAR)
        if unknown.any():
            full[np.isnan(inverse_depth)] = 0.0
        return np.asarray(full, np.float32)

    def _change(self, log_inverse: Float32, position: SequencePosition) -> Float32:
        """Return the running mean of the changes up to this frame (h, w)."""
        last = self._last
        if last is None or not _follows(last, log_inverse, position):
            return np.full(log_inverse.shape, _START, np.float32)
        scale = np.median(log_inverse - last.log_inverse_depth)
        before = last.log_inverse_depth + scale
        excess = np.maximum(
            log_inverse - cv2.dilate(before, _CELLS), cv2.erode(before, _CELLS) - log_inverse
        )
        change = cv2.GaussianBlur(np.maximum(excess, 0.0), (0, 0), _SPREAD_CELLS)
        return np.asarray(_MEMORY * last.change + (1.0 - _MEMORY) * change, np.float32)


def _coarse(inverse_depth: Float32) -> Float32:
    height, width = inverse_depth.shape
    cells = min(1.0, _SHORT_SIDE / min(height, width))
    size = (max(1, round(width * cells)), max(1, round(height * cells)))
    # A copy, also where the size stays: the caller's array is not changed.
    return np.array(cv2.resize(inverse_depth, size, interpolation=cv2.INTER_AREA), np.float32)


def _follows(last: _Rated, log_inverse: Float32, position: SequencePosition) -> bool:
    number = last.position.sequence_id, last.position.frames_since_reset + 1
    is_next = number == (position.sequence_id, position.frames_since_reset)
    return is_next and last.log_inverse_depth.shape == log_inverse.shape


def _doubt(rated: _Rated) -> Float32:
    """Return the expected relative error (h, w)."""
    nearest = cv2.dilate(rated.log_inverse_depth, _CELLS)
    farthest = cv2.erode(rated.log_inverse_depth, _CELLS)
    return np.asarray(rated.change + np.float32(_EDGE_SHARE) * (nearest - farthest), np.float32)
