"""A folder of still images with true depth, in one place or of one camera."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields
import math
from pathlib import Path
from typing import NamedTuple

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.stills.still import Still
from flashdepth_ros.stills.yaml_file import read_mapping, shown

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
        """
        Read the file; the defaults if there is none.

        :raises InputError: it cannot be read.
        :raises ConfigError: a key or a value is not valid.
        """
        given = read_mapping(path) if path.exists() else {}
        known = [each.name for each in fields(SetOptions)]
        if unknown := sorted(set(given) - set(known)):
            raise ConfigError(
                f'{path.name} has {", ".join(unknown)}; expected the keys {" and ".join(known)}'
            )
        units, video = given.get('units_per_metre', 1000.0), given.get('video', False)
        if isinstance(units, bool) or not isinstance(units, int | float) or not _valid(units):
            raise ConfigError(
                f'{path.name}: units_per_metre is {shown(units)}; expected a number over 0'
            )
        if not isinstance(video, bool):
            raise ConfigError(f'{path.name}: video is {shown(video)}; expected true or false')
        return SetOptions(units, video)


def _valid(units: float) -> bool:
    return 0 < units < math.inf


class Unpaired(NamedTuple):
    """Files of which it is not known what belongs together."""

    name: str
    """Of the depth file, or the name that they share."""
    text: str
    kind: str
    """Equal for what differs in names only."""


@dataclass(frozen=True)
class StillSet:
    """The still images of a folder, sorted by name."""

    path: Path
    stills: tuple[Still, ...]
    options: SetOptions
    unpaired: tuple[Unpaired, ...] = ()
    """Depth without an image, and names with several images or depth files."""
    without_depth: tuple[str, ...] = ()
    """Image files without true depth."""

    @staticmethod
    def read(path: Path) -> StillSet:
        """Find the files of a set; ConfigError or InputError if its set.yaml is invalid."""
        options = SetOptions.read(path / 'set.yaml')
        images, depths = _by_name(path)
        stills, unpaired = [], []
        for name, files in sorted(depths.items()):
            reason = _unpaired(name, images.get(name, []), files)
            if reason:
                unpaired.append(reason)
                continue
            cameras = [path / f'{name}.camera.yaml', path / 'camera.yaml']
            camera = next((each for each in cameras if each.exists()), None)
            stills.append(Still(name, images[name][0], files[0], camera, options.units_per_metre))
        others = (file.name for name in sorted(set(images) - set(depths)) for file in images[name])
        return StillSet(path, tuple(stills), options, tuple(unpaired), tuple(others))


_Files = dict[str, list[Path]]


def _by_name(folder: Path) -> tuple[_Files, _Files]:
    """Return the image files and the depth files by the name that an image and its depth share."""
    images: _Files = defaultdict(list)
    depths: _Files = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if is_depth(path):
            depths[path.name[: -len(DEPTH_SUFFIXES[0])]].append(path)
        elif is_image(path):
            images[path.stem].append(path)
    return images, depths


def is_depth(path: Path) -> bool:
    """Return whether a file has true depth, by its name."""
    return not path.name.startswith('.') and path.name.lower().endswith(DEPTH_SUFFIXES)


def is_image(path: Path) -> bool:
    """Return whether a file is an image and not depth, by its name."""
    hidden = path.name.startswith('.')
    return not hidden and path.suffix.lower() in IMAGE_SUFFIXES and not is_depth(path)


def _unpaired(name: str, images: list[Path], depths: list[Path]) -> Unpaired | None:
    """Return why an image and its depth cannot be told, or None."""
    for files, kind in ((images, 'image'), (depths, 'depth file')):
        if len(files) > 1:
            several = ' and '.join(each.name for each in files)
            text = f'{several}; expected one {kind} of a name: remove the others'
            return Unpaired(name, text, f'several: {kind}')
    if not images:
        expected = ', '.join(f'{name}{suffix}' for suffix in IMAGE_SUFFIXES)
        return Unpaired(depths[0].name, f'no image; expected one of {expected}', 'no image')
    return None
