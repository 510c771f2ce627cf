"""Which of the given folders are sets of still images, and which are left out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from flashdepth_ros.errors import ConfigError, listed
from flashdepth_ros.evaluation.names import without_repeats
from flashdepth_ros.evaluation.stills.still_set import is_depth


class SetFolders(NamedTuple):
    """The sets, and what to say of folders that are none."""

    sets: list[Path]
    left_out: list[str]
    """One line for each given folder that has others without true depth."""


def find_sets(folders: Iterable[Path], output: Path) -> SetFolders:
    """
    Return the folders with true depth: each given one, or those directly inside it.

    :param output: of the report, which is no set.
    :raises ConfigError: a folder is missing, or it has no set.
    """
    sets: list[Path] = []
    left_out = []
    for folder in without_repeats(folders):
        found, others = _split(folder, output.resolve())
        sets += found
        if others:
            left_out.append(
                f'{folder}: {len(others)} of {len(found) + len(others)} folders without true '
                f'depth, left out: {listed(others)}'
            )
    return SetFolders(without_repeats(sets), left_out)


def _split(folder: Path, output: Path) -> tuple[list[Path], list[str]]:
    """Return the sets of a folder, and the names of the folders inside it that are none."""
    if not folder.is_dir():
        raise ConfigError(f'{folder}: no such folder; expected one with still images')
    inside = sorted(
        each
        for each in folder.iterdir()
        if each.is_dir() and not each.name.startswith('.') and each.resolve() != output
    )
    sets = [each for each in (folder, *inside) if any(map(is_depth, each.iterdir()))]
    if not sets:
        raise ConfigError(
            f'{folder}: no true depth; expected files NAME.depth.png or NAME.depth.npy beside '
            'NAME.png or NAME.jpg, in this folder or in folders inside it'
        )
    return sets, [each.name for each in inside if each not in sets]
