"""Match the messages of two topics, by header stamp or, where it does not tell, by recording."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from flashdepth_ros.bags.nearest import Messages
from flashdepth_ros.bags.reader import Record
from flashdepth_ros.bags.runs import linked_runs
from flashdepth_ros.bags.track import Entry, Track
from flashdepth_ros.errors import InputError


class Match(NamedTuple):
    """Two messages of one time, and the run of the first one's clock."""

    first: Entry
    second: Entry
    apart_ns: int
    run: int


class Matching(NamedTuple):
    """The matches by the time of recording of the first messages, and how they were found."""

    matches: list[Match]
    notes: list[str]
    """One line for each way in which the stamps do not identify the messages."""


def match(first: Track, second: Track, tolerance_ns: int = 0) -> Matching:
    """
    Match each message of the second track with the nearest of the first, within the tolerance.

    A message that is nearest to several is matched with the nearest of them, so that none is used
    twice, whichever track has the higher rate. Messages with equal stamps are told apart by their
    times of recording. Runs of a clock are matched separately. If the stamps of a track do not
    show the times, the times of recording are used instead.

    :raises InputError: neither the stamps nor the times of recording show which messages belong
        together.
    """
    by_order = not first.shares_recorder(second)
    has_stamps = first.has_stamps and second.has_stamps
    if not has_stamps and by_order and len(first.entries) != len(second.entries):
        raise InputError(
            f'{first.topic} and {second.topic} cannot be matched: their header stamps do not '
            'identify the messages, they were recorded at different times, and they have '
            f'{len(first.entries)} and {len(second.entries)} messages'
        )
    starts = [run.start for run in first.runs]
    matches = []
    for one, other in _parts(first, second):
        for i, j, apart_ns in one.pair(other, tolerance_ns, by_order):
            run = int(np.searchsorted(starts, i, side='right'))
            matches.append(Match(first.entries[i], second.entries[j], apart_ns, run))
    return Matching(sorted(matches), list(_notes(first, second, by_order)))


def matched_records(
    first: Track, second: Track, tolerance_ns: int = 0
) -> Iterator[tuple[Match, Record, Record]]:
    """
    Yield the matches with their records, as `match`.

    A record is skipped if its match was recorded before the match of the previous record, because
    each bag is read only once.
    """
    matches = {each.first.place: each for each in match(first, second, tolerance_ns).matches}
    others = enumerate(second.bag.records(second.topic))
    other_place, other = next(others, (-1, None))
    for place, record in enumerate(first.bag.records(first.topic)):
        found = matches.get(place)
        if found is None:
            continue
        while other is not None and other_place < found.second.place:
            other_place, other = next(others, (other_place, None))
        if other is not None and other_place == found.second.place:
            yield found, record, other


def _parts(first: Track, second: Track) -> list[tuple[Messages, Messages]]:
    """Return the parts of both tracks that belong together: those of one run of one clock."""
    ones, others = first.runs, second.runs
    if not (ones and others):
        return []
    if len(ones) == len(others) == 1 or not (first.has_stamps and second.has_stamps):
        return [(Messages.of(ones), Messages.of(others))]
    if first.shares_recorder(second):
        return [
            (Messages.of(left), Messages.of(right)) for left, right in linked_runs(ones, others)
        ]
    if len(ones) == len(others):
        return [(Messages.of([a]), Messages.of([b])) for a, b in zip(ones, others, strict=True)]
    raise InputError(
        f'{first.topic} and {second.topic} cannot be matched: their header stamps start again '
        f'{len(ones) - 1} and {len(others) - 1} times, and they were recorded at different times; '
        'give recordings of one run'
    )


def _notes(first: Track, second: Track, by_order: bool) -> Iterator[str]:
    unclear = [track.topic for track in (first, second) if not track.has_stamps]
    if unclear:
        means = 'order' if by_order else 'time of recording'
        yield (
            f'the header stamps on {" and ".join(unclear)} do not identify the messages: '
            f'{first.topic} and {second.topic} are paired by {means}'
        )
        return
    for track in (first, second):
        if len(track.runs) > 1:
            restarts = len(track.runs) - 1
            yield (
                f'the header stamps on {track.topic} go back {restarts} '
                f'time{"s" if restarts > 1 else ""}: every run is paired separately'
            )
        repeated = sum(int(run.repeated.sum()) for run in track.runs)
        if repeated:
            yield (
                f'{repeated} of {len(track.entries)} messages on {track.topic} repeat an earlier '
                'header stamp: they are paired by time of recording'
            )
