"""The sets of still images in the folders that are given, and what is left out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from flashdepth_ros.errors import listed
from flashdepth_ros.evaluation.names import without_repeats
from flashdepth_ros.stills.set_folders import find_sets


class GivenSets(NamedTuple):
    """The sets, and what to say of folders that are none."""

    sets: list[Path]
    left_out: list[str]
    """One line for each given folder that has others without true depth."""

    @staticmethod
    def find(folders: Iterable[Path], output: Path) -> GivenSets:
        """
        Find the sets of all folders, each set once.

        :param output: of the report, which is no set.
        :raises ConfigError: a folder is missing, or it has no set.
        """
        sets: list[Path] = []
        left_out = []
        for folder in without_repeats(folders):
            found, others = find_sets(folder, output)
            sets += found
            if others:
                names = listed([each.name for each in others])
                left_out.append(
                    f'{folder}: {len(others)} of {len(found) + len(others)} folders without true '
                    f'depth, left out: {names}'
                )
        return GivenSets(without_repeats(sets), left_out)
