"""A folder of still images with true depth, in one place or of one camera."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.evaluation.stills.still import Still

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg')
DEPTH_SUFFIXES = ('.depth.png', '.depth.npy')


@dataclass(frozen=True)
class SetOptions:
    """The content of set.yaml; every key may be missing."""

    units_per_metre: float = 1000.0
    """Of true depth in PNG files."""
    video: bool = False
    """Whether the images are frames of one video, in the order of their names."""

    @staticmethod
    def read(path: Path) -> SetOptions:
        """Read the file; the defaults if there is none; ConfigError for what is invalid."""
        try:
            content = yaml.safe_load(path.read_text(encoding='utf-8')) if path.exists() else None
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f'{path}: cannot be read: {" ".join(str(error).split())}') from error
        given = {} if content is None else content
        known = [each.name for each in fields(SetOptions)]
        if not isinstance(given, dict) or not set(given) <= set(known):
            raise ConfigError(f'{path} has {given!r}; expected the keys {" and ".join(known)}')
        options = SetOptions(**given)
        units = options.units_per_metre
        if isinstance(units, bool) or not isinstance(units, int | float) or not units > 0:
            raise ConfigError(f'{path}: units_per_metre: {units!r}; expected a number over 0')
        if not isinstance(options.video, bool):
            raise ConfigError(f'{path}: video: {options.video!r}; expected true or false')
        return options


@dataclass(frozen=True)
class StillSet:
    """The still images of a folder, sorted by name."""

    path: Path
    stills: tuple[Still, ...]
    options: SetOptions
    problems: tuple[str, ...]
    """Depth files that cannot be used, one line each."""

    @staticmethod
    def read(path: Path) -> StillSet:
        """Find the files of a set; ConfigError if its set.yaml is invalid."""
        options = SetOptions.read(path / 'set.yaml')
        stills, problems = [], []
        for depth in _depth_files(path):
            name = depth.name[: -len(DEPTH_SUFFIXES[0])]
            images = [path / f'{name}{suffix}' for suffix in IMAGE_SUFFIXES]
            image = next((each for each in images if each.exists()), None)
            if image is None:
                expected = ', '.join(each.name for each in images)
                problems.append(f'{depth.name}: no image; expected one of {expected}')
                continue
            cameras = [path / f'{name}.camera.yaml', path / 'camera.yaml']
            camera = next((each for each in cameras if each.exists()), None)
            stills.append(Still(name, image, depth, camera, options.units_per_metre))
        return StillSet(path, tuple(stills), options, tuple(problems))


def find_sets(folders: Iterable[Path]) -> list[Path]:
    """
    Return the folders with true depth: each given one, or those directly inside it.

    :raises ConfigError: there is none.
    """
    return [path for folder in folders for path in _sets_in(folder)]


def _sets_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigError(f'{folder}: no such folder; expected one with still images')
    inside = sorted(each for each in folder.iterdir() if each.is_dir())
    sets = [each for each in (folder, *inside) if any(_depth_files(each))]
    if not sets:
        raise ConfigError(
            f'{folder}: no true depth; expected files NAME.depth.png or NAME.depth.npy beside '
            'NAME.png or NAME.jpg, in this folder or in folders inside it'
        )
    return sets


def _depth_files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.name.endswith(DEPTH_SUFFIXES))
