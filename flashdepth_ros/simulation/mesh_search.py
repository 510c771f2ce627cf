"""The mesh files of a folder, with the sizes that it lists: `find_meshes`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
import csv
from functools import lru_cache
import math
from pathlib import Path
from typing import NamedTuple

from flashdepth_ros.errors import SimulationError, listed
from flashdepth_ros.simulation.mesh import Vector
from flashdepth_ros.simulation.mesh_files import SUFFIXES

SIZES = 'sizes.csv'
LARGEST_BYTES = 250_000
LARGEST_PERSON_BYTES = 1_200_000
PERSON = 'person'
_COLUMNS = ('file', 'width_m', 'depth_m', 'height_m', 'up')


class MeshFile(NamedTuple):
    """A mesh file; size (width x, depth y, height z) in metres, up axis and kind, if known."""

    path: Path
    size_m: Vector | None = None
    up: str = 'z'
    kind: str = ''


class FoundMeshes(NamedTuple):
    """The usable files of a folder, those in its list of sizes and others."""

    listed: tuple[MeshFile, ...] = ()
    others: tuple[MeshFile, ...] = ()
    notes: tuple[str, ...] = ()
    """What to say of the files that are left out, one line for each reason."""


@lru_cache(maxsize=4)
def find_meshes(folder: Path) -> FoundMeshes:
    """
    Return the files of a folder; those above LARGEST_BYTES are left out, they take long to read.

    :raises SimulationError: the folder has no usable meshes, or its list of sizes is not valid.
    """
    paths = [p for p in folder.rglob('*') if p.suffix.lower() in SUFFIXES and p.is_file()]
    if not paths:
        raise SimulationError(f'{folder}: no meshes; a folder with OBJ or STL files expected')
    sized = _read_sizes(folder / SIZES) if (folder / SIZES).is_file() else ()
    known = {file.path for file in sized}
    others = tuple(MeshFile(path) for path in sorted(paths) if path not in known)
    missing = [file for file in sized if not file.path.is_file()]
    large = [file for file in (*sized, *others) if file not in missing and _is_large(file)]
    left_out = {*missing, *large}
    if left_out.issuperset((*sized, *others)):
        raise SimulationError(
            f'{folder}: no usable meshes; simplify those larger than {_limit()}: {_names(large)}'
        )
    return FoundMeshes(
        tuple(file for file in sized if file not in left_out),
        tuple(file for file in others if file not in left_out),
        tuple(_notes(folder, missing, large)),
    )


def _notes(folder: Path, missing: list[MeshFile], large: list[MeshFile]) -> Iterator[str]:
    if missing:
        yield f'{folder / SIZES}: listed, but not in the folder: {_names(missing)}'
    if large:
        yield f'{folder}: left out, larger than {_limit()}: {_names(large)}'


def _names(files: Iterable[MeshFile]) -> str:
    return listed([file.path.name for file in files])


def _limit() -> str:
    return f'{LARGEST_BYTES // 1000} kB (people {LARGEST_PERSON_BYTES // 1000} kB)'


def _is_large(file: MeshFile) -> bool:
    most = LARGEST_PERSON_BYTES if file.kind == PERSON else LARGEST_BYTES
    return file.path.stat().st_size > most


def _read_sizes(path: Path) -> tuple[MeshFile, ...]:
    try:
        with path.open(newline='', encoding='utf-8-sig') as lines:
            rows = csv.DictReader(lines)
            if absent := [name for name in _COLUMNS if name not in (rows.fieldnames or ())]:
                raise SimulationError(
                    f'{path}: no column {" or ".join(absent)}; '
                    f'columns {", ".join(_COLUMNS)} expected'
                )
            return tuple(_mesh_file(path, rows.line_num, row) for row in rows)
    except OSError as error:
        raise SimulationError(f'{path}: cannot be read: {error.strerror}') from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SimulationError(f'{path}: not a CSV file in UTF-8; a list of sizes expected') from (
            error
        )


def _mesh_file(path: Path, line: int, row: dict[str, str | None]) -> MeshFile:
    width, depth, height = (_length(path, line, row, name) for name in _COLUMNS[1:4])
    file = path.parent / (row['file'] or '')
    return MeshFile(file, (width, depth, height), row['up'] or '', row.get('kind') or '')


def _length(path: Path, line: int, row: dict[str, str | None], name: str) -> float:
    text = row[name] or ''
    try:
        length = float(text)
    except ValueError:
        length = math.nan
    if not 0 < length < math.inf:
        raise SimulationError(
            f"{path}: line {line}: {name} is '{text}'; a number of metres over 0 expected"
        )
    return length
