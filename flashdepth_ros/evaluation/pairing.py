"""Pairing of images and ground truth by their header stamps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Pair(NamedTuple):
    """The header stamps of an image and of the ground truth that belongs to it."""

    frame_ns: int
    truth_ns: int


def pair_stamps(
    frames_ns: Iterable[int], truths_ns: Iterable[int], tolerance_ns: int
) -> list[Pair]:
    """
    Return the pairs in order of time: each ground truth with the frame of the nearest stamp.

    A frame that is nearest to several ground truths is paired with the nearest of them, so that no
    frame and no ground truth is used twice, whichever has the higher rate. Equal stamps count as
    one.
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
