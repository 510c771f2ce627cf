"""
An exported model: an ONNX file of this package, and what its metadata tell.

The metadata are read from the file itself, so that no package for ONNX is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
import mmap
from pathlib import Path

from flashdepth_ros.errors import CheckpointError, ConfigError
from flashdepth_ros.network.config import ModelConfig
from flashdepth_ros.network.presets import PRESETS

SUFFIX = '.onnx'
FORMAT = 'flashdepth_ros 1'
"""Value of `format`, by which a file of this package is known."""
FRAMES, INVERSE_DEPTH = 'frames', 'inverse_depth'
STATE_IN, STATE_OUT = 'state_in.', 'state_out.'
"""Before the name of each part of the state."""
_METADATA, _KEY, _VALUE = 14, 1, 2
"""Field numbers of ONNX's `ModelProto.metadata_props` and of its entries."""
_HOW = 'write one with `flashdepth export`'


@dataclass(frozen=True)
class ExportedModel:
    """What an exported model contains."""

    path: Path
    config: ModelConfig
    size: tuple[int, int]
    """Height and width of the frames, px."""
    batch: int
    """Number of streams."""
    precision: str
    notes: Mapping[str, str]
    """All metadata."""


def is_exported(weights: object) -> bool:
    """Return whether weights are the path of an exported model."""
    return isinstance(weights, (str, Path)) and Path(weights).suffix.lower() == SUFFIX


def read_exported(path: str | Path) -> ExportedModel:
    """
    Read what an exported model contains, without loading its network.

    :raises CheckpointError: no such file, damaged, or not of this package or version of it.
    """
    path = Path(path)
    notes = read_metadata(path)
    if notes.get('format') != FORMAT:
        found = f'format {notes["format"]!r}' if 'format' in notes else 'no format'
        raise CheckpointError(
            f'{path}: {found} in its metadata, {FORMAT!r} expected: it is not a model exported by '
            f'this version of flashdepth_ros; {_HOW}'
        )
    if notes.get('preset') not in PRESETS:
        raise CheckpointError(
            f'{path}: preset {notes.get("preset", "")!r} is not known to this version; one of '
            f'{", ".join(PRESETS)} expected; {_HOW}'
        )
    try:
        width, height = map(int, notes['size'].split('x'))
        batch, precision = int(notes['batch']), notes['precision']
    except (KeyError, ValueError) as error:
        raise CheckpointError(f'{path}: its metadata are incomplete ({error}); {_HOW}') from error
    return ExportedModel(path, PRESETS[notes['preset']], (height, width), batch, precision, notes)


def purpose_of(model: str, weights: str | Path) -> str:
    """
    Return what weights are for, '' if that is not known: it is of the preset's, or in the file.

    :param weights: '': those of the preset.
    :raises CheckpointError: an exported model cannot be read.
    """
    if is_exported(weights):
        return read_exported(weights).notes.get('purpose', '')
    return '' if weights else PRESETS[model].purpose


def check_preset(exported: ExportedModel, model: str) -> None:
    """
    Check that an exported model is of the requested preset.

    :raises ConfigError: it is of another one.
    """
    if exported.config.name != model:
        raise ConfigError(
            f'{exported.path} is {exported.config.name}, but model is {model}: set model to '
            f'{exported.config.name}'
        )


def read_metadata(path: Path) -> dict[str, str]:
    """
    Return the metadata of an ONNX file.

    :raises CheckpointError: no such file, or it is no ONNX file, or damaged.
    """
    damaged = f'{path}: not an ONNX file, or damaged; {_HOW}'
    try:
        with path.open('rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            fields = list(_fields(data, 0, len(data)))
            entries = [
                {key: data[low:high].decode() for key, low, high in _fields(data, *span)}
                for number, *span in fields
                if number == _METADATA
            ]
    except FileNotFoundError as error:
        raise CheckpointError(f'{path}: no such file; give the path of one, or {_HOW}') from error
    except OSError as error:
        raise CheckpointError(f'{path}: cannot be read: {error.strerror or error}') from error
    except (ValueError, IndexError, TypeError) as error:  # an empty file, or other content
        raise CheckpointError(damaged) from error
    if not fields:
        raise CheckpointError(damaged)
    return {entry.get(_KEY, ''): entry.get(_VALUE, '') for entry in entries}


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """
    Yield number, start and end of every field with a length in a protobuf message.

    :raises ValueError: the bytes are not a message.
    """
    while start < end:
        tag, start = _varint(data, start, end)
        kind = tag & 7
        if kind == 0:
            _, start = _varint(data, start, end)
        elif kind == 2:
            length, start = _varint(data, start, end)
            yield tag >> 3, start, start + length
            start += length
        else:
            start += {1: 8, 5: 4}.get(kind, end)
    if start > end:
        raise ValueError('a field goes beyond the end')


def _varint(data: mmap.mmap, start: int, end: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and where it ends."""
    value = 0
    for index, byte in enumerate(data[start : min(start + 10, end)]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, start + index + 1
    raise ValueError('a number does not end')
