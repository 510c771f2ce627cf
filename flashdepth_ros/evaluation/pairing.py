"""Pairs of an image and the ground truth that belongs to it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from flashdepth_ros.bags.join import match
from flashdepth_ros.bags.track import Entry, Track
from flashdepth_ros.errors import BagError
from flashdepth_ros.evaluation.damage import until_damage

#: Stamps of one clock, of topics recorded together, differ by less.
_ONE_CLOCK_S = 60.0


class Pair(NamedTuple):
    """An image and its ground truth: places on their topics, stamps and times of recording."""

    frame: Entry
    truth: Entry
    apart_ns: int
    run: int
    """Run of the clock of the images; the clock of another run is another one."""


def pair_frames(frames: Track, truths: Track, tolerance_s: float) -> tuple[list[Pair], list[str]]:
    """
    Return the pairs in the order of the images, and notes on how they were found.

    :raises BagError: nothing pairs within the tolerance.
    :raises InputError: neither stamps nor times of recording show what belongs together.
    """
    matches, notes = match(frames, truths, round(1e9 * tolerance_s))
    if not matches:
        unlimited = match(frames, truths, 2**62).matches
        nearest_s = min((each.apart_ns for each in unlimited), default=0) * 1e-9
        other_clocks = 'their header stamps are of different clocks'
        advice = '--tolerance' if nearest_s < _ONE_CLOCK_S else other_clocks
        raise BagError(
            f'{frames.bag.path}: no frame of {frames.topic} has ground truth on {truths.topic} '
            f'within {tolerance_s:g} s; the nearest is {nearest_s:.3f} s away ({advice})'
            f'{"".join(f"; {note}" for note in notes)}'
        )
    return [Pair(*each) for each in matches], notes


def paired_messages(truths: Track, pairs: Collection[Pair]) -> Iterator[tuple[int, Any]]:
    """Yield the index of each pair and its ground truth; invalid messages are skipped."""
    numbers = {pair.truth.place: number for number, pair in enumerate(pairs)}
    for place, record in enumerate(until_damage(truths.bag.records(truths.topic))):
        if place in numbers:
            try:
                yield numbers[place], truths.bag.message(record)
            except BagError:
                continue
