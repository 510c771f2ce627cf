"""The demo's results: the files it leaves and the summary it prints."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from flashdepth_ros.bags import BagReader
from flashdepth_ros.bags.join import Track
from flashdepth_ros.errors import InputError
from flashdepth_ros.presentation import DepthRange, format_stages, write_stages
from flashdepth_ros.tools.demo.accuracy import Accuracy, measure
from flashdepth_ros.tools.demo.files import (
    Recordings,
    write_cloud,
    write_contact_sheet,
    write_film,
)
from flashdepth_ros.tools.demo.playback import Playback, read_playback
from flashdepth_ros.tools.demo.recorder import DEPTH_TOPIC
from flashdepth_ros.tools.demo.source import Source


@dataclass(frozen=True)
class Played:
    """What was played and how: the line that opens the summary, the rate, what to add to it."""

    title: str
    source: Source
    rate: float
    notes: tuple[str, ...] = ()


@dataclass
class _Outcome:
    """What the report is made of, as it comes about."""

    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    accuracy: Accuracy | None = None


def write_report(played: Played, recorded: Path, output: Path) -> str:
    """
    Write the results to a folder and return the summary, which is among them.

    :param recorded: the bag of what came back.
    :raises BagError: nothing came back.
    """
    with BagReader(played.source.bag) as source, BagReader(recorded) as bag:
        playback = read_playback(bag)
        recordings = Recordings(played.source, source, bag)
        outcome = _Outcome(notes=[*played.notes, *_pace_notes(played, playback)])
        _write_pictures(recordings, output, outcome)
        outcome.accuracy = _measured(recordings, outcome)
    table = output / 'timing.csv'
    write_stages(table, playback.stages)
    outcome.files.append(table)
    return _summary(played, playback, outcome)


def _pace_notes(played: Played, playback: Playback) -> list[str]:
    share = playback.processed / len(played.source.stamps_ns)
    if share > 0.9:
        return []
    slower = 0.8 * share * played.rate
    return [f'this machine is slower than that camera; --rate {slower:.2g} would keep every frame']


def _write_pictures(recordings: Recordings, output: Path, outcome: _Outcome) -> None:
    writers = (
        ('contact_sheet.png', partial(write_contact_sheet, colours=DepthRange())),
        ('depth.mp4', write_film),
        ('cloud.ply', write_cloud),
    )
    for name, write in writers:
        # What an earlier demo left must not pass for this one's.
        (output / name).unlink(missing_ok=True)
        try:
            write(recordings, path=output / name)
            outcome.files.append(output / name)
        except InputError as error:
            outcome.notes.append(f'{name} is missing: {error}')


def _measured(recordings: Recordings, outcome: _Outcome) -> Accuracy | None:
    if recordings.truth is None:
        return None
    try:
        return measure(recordings.truth, Track(recordings.recorded, DEPTH_TOPIC))
    except InputError as error:
        outcome.notes.append(f'no accuracy: {error}')
        return None


def _summary(played: Played, playback: Playback, outcome: _Outcome) -> str:
    told = playback.diagnostics
    network = ', '.join(told.get(key, '?') for key in ('model', 'device', 'precision', 'engine'))
    resets = Counter(playback.reset_reasons)
    starts = ', '.join(f'{reason} {count}' for reason, count in resets.items())
    sent = len(played.source.stamps_ns)
    rate_hz = played.source.rate_hz * played.rate
    lines = [
        f'{"recording":<11}{played.title}',
        f'{"network":<11}{network}',
        f'{"frames":<11}{sent} sent, {playback.processed} processed; dropped: {playback.drops}',
        f'{"rate":<11}{rate_hz:.1f} images/s in, '
        f'{rate_hz * playback.processed / sent:.1f} depth images/s out',
        f'{"sequences":<11}{starts}',
        *(f'{"note":<11}{note}' for note in outcome.notes),
        '',
        *format_stages(playback.stages).splitlines(),
        *_accuracy_lines(outcome.accuracy),
        '',
        *(f'{file}  ({_size(file)})' for file in outcome.files),
    ]
    return '\n'.join(lines)


def _accuracy_lines(accuracy: Accuracy | None) -> list[str]:
    if accuracy is None:
        return []
    aligned = f'{"aligned":<14}{accuracy.aligned_abs_rel:>9.3f}{accuracy.aligned_delta1:>9.3f}'
    return [
        '',
        f'{"accuracy":<14}{"AbsRel":>9}{"delta1":>9}   over {accuracy.frames} frames',
        f'{"as published":<14}{accuracy.abs_rel:>9.3f}{accuracy.delta1:>9.3f}',
        f'{aligned}   inverse depth x {accuracy.scale:.3g} {accuracy.shift:+.3g} 1/m',
    ]


def _size(file: Path) -> str:
    size = file.stat().st_size
    return f'{size / 1e6:.1f} MB' if size >= 1e5 else f'{size / 1e3:.1f} kB'
