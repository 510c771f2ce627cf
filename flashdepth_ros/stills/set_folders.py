"""Which folders are sets of still images."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.stills.still_set import is_depth


class SetFolders(NamedTuple):
    """The sets of a folder, sorted by name, and the folders inside it that are none."""

    sets: list[Path]
    others: list[Path]


def find_sets(folder: Path, output: Path | None = None) -> SetFolders:
    """
    Return the sets of a folder: itself if it has true depth, and those directly inside it.

    :param output: a folder that is no set, such as that of a report.
    :raises ConfigError: the folder is missing, or it has no set.
    """
    if not folder.is_dir():
        raise ConfigError(f'{folder}: no such folder; expected one with still images')
    ignored = output.resolve() if output else None
    inside = sorted(
        each
        for each in folder.iterdir()
        if each.is_dir() and not each.name.startswith('.') and each.resolve() != ignored
    )
    sets = [each for each in (folder, *inside) if any(map(is_depth, each.iterdir()))]
    if not sets:
        raise ConfigError(
            f'{folder}: no true depth; expected files NAME.depth.png or NAME.depth.npy beside '
            'NAME.png or NAME.jpg, in this folder or in folders inside it'
        )
    return SetFolders(sets, [each for each in inside if each not in sets])
