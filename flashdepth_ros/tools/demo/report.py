"""Write the demo's files and its summary."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from flashdepth_ros.bags import BagReader
from flashdepth_ros.bags.track import Track
from flashdepth_ros.errors import BagError, InputError
from flashdepth_ros.presentation import DepthRange, format_stages, write_stages
from flashdepth_ros.tools.demo.accuracy import Accuracy, measure
from flashdepth_ros.tools.demo.files import (
    Recordings,
    write_cloud,
    write_contact_sheet,
    write_video,
)
from flashdepth_ros.tools.demo.playback import Playback, read_playback
from flashdepth_ros.tools.demo.recorder import DEPTH_TOPIC
from flashdepth_ros.tools.demo.source import Source


@dataclass(frozen=True)
class Played:
    """
    The played recording.

    :param title: the first line of the summary.
    :param rate: the speed factor.
    :param purpose: what the weights are for; '': not stated.
    :param notes: further lines of the summary.
    """

    title: str
    source: Source
    rate: float
    purpose: str = ''
    notes: tuple[str, ...] = ()


@dataclass
class _Results:
    """The files written so far, notes for the summary, and the measured accuracy."""

    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    accuracy: Accuracy | None = None


def write_report(played: Played, recorded: Path, output: Path) -> str:
    """
    Write the files to a folder and return the summary.

    :param recorded: the bag of the node's outputs.
    :raises BagError: the node processed no frame.
    """
    with BagReader(played.source.bag) as source, BagReader(recorded) as bag:
        playback = read_playback(bag)
        recordings = Recordings(played.source, source, bag)
        results = _Results(notes=[*played.notes, *_rate_notes(played, playback)])
        _write_files(recordings, output, results)
        results.accuracy = _measure_accuracy(recordings, results)
    table = output / 'timing.csv'
    write_stages(table, playback.stages)
    results.files.append(table)
    return _summary(played, playback, results)


def _rate_notes(played: Played, playback: Playback) -> list[str]:
    share = playback.processed / len(played.source.stamps_ns)
    if share > 0.9:
        return []
    slower = 0.8 * share * played.rate
    return [
        'the node cannot process the recording at this rate on this computer; '
        f'use --rate {slower:.2g} to process every frame'
    ]


def _write_files(recordings: Recordings, output: Path, results: _Results) -> None:
    writers = (
        ('contact_sheet.png', partial(write_contact_sheet, colours=DepthRange())),
        ('depth.mp4', write_video),
        ('cloud.ply', write_cloud),
    )
    for name, write in writers:
        # Remove the file of an earlier run, in case it cannot be written now.
        (output / name).unlink(missing_ok=True)
        try:
            write(recordings, path=output / name)
            results.files.append(output / name)
        except InputError as error:
            results.notes.append(f'{name} was not written: {error}')


def _measure_accuracy(recordings: Recordings, results: _Results) -> Accuracy | None:
    if recordings.true_depth is None:
        return None
    try:
        recordings.check_true_depth()
        return measure(recordings.true_depth, Track(recordings.recorded, DEPTH_TOPIC))
    except (BagError, InputError) as error:
        results.notes.append(f'accuracy was not measured: {error}')
        return None


def _summary(played: Played, playback: Playback, results: _Results) -> str:
    node = playback.diagnostics
    network = ', '.join(node.get(key, '?') for key in ('model', 'device', 'precision', 'engine'))
    resets = Counter(playback.reset_reasons)
    starts = ', '.join(f'{reason} {count}' for reason, count in resets.items())
    sent = len(played.source.stamps_ns)
    rate_hz = played.source.rate_hz * played.rate
    lines = [
        f'{"recording":<11}{played.title}',
        f'{"network":<11}{network}',
        *([f'{"weights":<11}{played.purpose}'] if played.purpose else []),
        f'{"frames":<11}{sent} sent, {playback.processed} processed; dropped: {playback.drops}',
        f'{"rate":<11}{rate_hz:.1f} images/s in, '
        f'{rate_hz * playback.processed / sent:.1f} depth images/s out',
        f'{"sequences":<11}{starts}',
        *(f'{"note":<11}{note}' for note in results.notes),
        '',
        *format_stages(playback.stages).splitlines(),
        *_accuracy_lines(results.accuracy),
        '',
        *(f'{file}  ({_size(file)})' for file in results.files),
    ]
    return '\n'.join(lines)


def _accuracy_lines(accuracy: Accuracy | None) -> list[str]:
    if accuracy is None:
        return []
    aligned = f'{"aligned":<14}{accuracy.aligned_abs_rel:>9.3f}{accuracy.aligned_delta1:>9.3f}'
    return [
        '',
        f'{"accuracy":<14}{"AbsRel":>9}{"delta1":>9}   over {accuracy.frames} frames',
        f'{"unaligned":<14}{accuracy.abs_rel:>9.3f}{accuracy.delta1:>9.3f}',
        f'{aligned}   inverse depth x {accuracy.scale:.3g} {accuracy.shift:+.3g} 1/m',
    ]


def _size(file: Path) -> str:
    size = file.stat().st_size
    return f'{size / 1e6:.1f} MB' if size >= 1e5 else f'{size / 1e3:.1f} kB'
