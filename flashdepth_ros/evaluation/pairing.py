"""Which truth belongs to which frame, by their stamps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Pair(NamedTuple):
    """A frame and the truth beside it, by the stamps of their headers."""

    frame_ns: int
    truth_ns: int


def paired(frames_ns: Iterable[int], truths_ns: Iterable[int], tolerance_ns: int) -> list[Pair]:
    """
    Return the pairs in the order of time: each truth with the frame of the nearest stamp.

    A frame that is the nearest of several truths keeps the nearest of these, so that no frame and
    no truth counts twice, whichever of them comes more often. Of equal stamps one counts.
    """
    frames, truths = (np.unique(np.fromiter(a, np.int64)) for a in (frames_ns, truths_ns))
    if not (frames.size and truths.size):
        return []
    after = np.searchsorted(frames, truths).clip(1, max(frames.size - 1, 1))
    candidates = frames[np.stack([after - 1, after.clip(max=frames.size - 1)])]
    distances = np.abs(candidates - truths)
    nearest = candidates[distances.argmin(axis=0), np.arange(truths.size)]
    best: dict[int, Pair] = {}
    order = np.argsort(np.abs(nearest - truths), kind='stable')
    for frame_ns, truth_ns in zip(nearest[order].tolist(), truths[order].tolist(), strict=True):
        if abs(frame_ns - truth_ns) <= tolerance_ns:
            best.setdefault(frame_ns, Pair(frame_ns, truth_ns))
    return sorted(best.values())
