"""`flashdepth film`: render training clips with the simulator and write them to disk."""

import argparse
from dataclasses import replace
from pathlib import Path
import sys
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from flashdepth_ros.errors import ConfigError, SimulationError
from flashdepth_ros.simulation.clip import Clip, ClipSettings, plan_clip
from flashdepth_ros.simulation.renderer import start_gl
from flashdepth_ros.simulation.variety import Variety
from flashdepth_ros.simulation.variety_folders import check_folders
from flashdepth_ros.training.augmentation import crop_and_resize
from flashdepth_ros.training.clips import SUFFIX, Camera, write_clip
from flashdepth_ros.training.clips import Clip as StoredClip
from flashdepth_ros.training.film_log import FilmLog
from flashdepth_ros.training.parsing import Range
from flashdepth_ros.training.writing import make_folder

_RANGES = {
    'frames': Range(1),
    'rate': Range(above=0.0),
    'sampling': Range(1, 16),
    'shadows': Range(0.0, 1.0),
    'clips_per_scene': Range(1),
    'variety': Range(0.0, 1.0),
}
_SIDE = Range(2, 8192)
"""Width and height of a clip, px."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        'folder', type=Path, help='output folder; existing clips are not rendered again'
    )
    parser.add_argument(
        '--seeds', default='0:1000', metavar='A:B', help='one clip per seed, from A to B-1'
    )
    parser.add_argument('--frames', type=int, default=24, help='frames per clip (default 24)')
    parser.add_argument(
        '--rate', type=float, default=10.0, metavar='HZ', help='frame rate (default 10)'
    )
    parser.add_argument(
        '--size', default='252x196', metavar='WxH', help='size, px (default 252x196)'
    )
    parser.add_argument(
        '--copies',
        metavar='WxH:FOLDER',
        help='also write each clip at a second size, which is faster to read for training there',
    )
    parser.add_argument(
        '--kind', default='any', choices=('any', 'indoor', 'outdoor', 'mixed'), help='of scene'
    )
    parser.add_argument(
        '--sampling', type=int, default=2, help='supersampling per axis (default 2)'
    )
    parser.add_argument(
        '--shadows', type=float, default=0.25, help='share of scenes with shadows (default 0.25)'
    )
    parser.add_argument(
        '--clips-per-scene',
        type=int,
        default=4,
        metavar='N',
        help='number of successive seeds that share a scene; building a scene takes as long as '
        'rendering twenty frames (default 4)',
    )
    add_variety_arguments(parser)


def add_variety_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of varied scenes."""
    parser.add_argument(
        '--variety',
        type=float,
        default=0.0,
        metavar='SHARE',
        help='share of scenes with random materials, clutter, views and effects (default 0)',
    )
    parser.add_argument(
        '--textures',
        type=Path,
        metavar='FOLDER',
        help='JPEG and PNG photographs for the surfaces and colours of varied scenes',
    )
    parser.add_argument(
        '--meshes',
        type=Path,
        metavar='FOLDER',
        help='OBJ and STL files of objects for varied scenes; sizes.csv may list their sizes',
    )


def run(arguments: argparse.Namespace) -> int:
    """
    Render the clips that do not exist yet; several processes may run with different seeds.

    :return: 1 if none of the clips exists in the end, else 0.
    :raises ConfigError: seeds, a size, the clips per scene or the variety are not valid.
    :raises SimulationError: this computer cannot render, or a folder has no usable files.
    """
    check_arguments(arguments)
    first, last = parse_pair(arguments.seeds, ':')
    settings, log = _settings(arguments), FilmLog()
    settings = replace(settings, variety=replace(settings.variety, tell=log.tell))
    copies = _parse_copies(arguments.copies)
    paths = {seed: arguments.folder / f'{seed:06d}{SUFFIX}' for seed in range(first, last)}
    if not all(path.exists() for path in paths.values()):
        check_folders(settings.variety)
        start_gl()
    make_folder(arguments.folder)
    for seed, path in tqdm(paths.items(), unit='clip', file=sys.stderr):
        if not path.exists():
            _film_seed(path, seed, settings, log)
        if copies and path.exists() and not (copies.folder / path.name).exists():
            copies.add(path)
    log.close()
    return int(not any(path.exists() for path in paths.values()))


def _settings(arguments: argparse.Namespace) -> ClipSettings:
    """Return the settings of the clips."""
    width, height = parse_pair(arguments.size, 'x')
    return ClipSettings(
        width=width,
        height=height,
        frames=arguments.frames,
        rate_hz=arguments.rate,
        kind=arguments.kind,
        supersampling=arguments.sampling,
        shadow_share=arguments.shadows,
        clips_per_scene=arguments.clips_per_scene,
        variety=Variety(arguments.variety, arguments.textures, arguments.meshes),
    )


def check_arguments(arguments: argparse.Namespace) -> None:
    """
    Check the values of the command before anything is rendered.

    :raises ConfigError: seeds, a size or a number is not valid.
    """
    for name, limits in _RANGES.items():
        if not limits.allows(value := getattr(arguments, name)):
            option = name.replace('_', '-')
            raise ConfigError(f'--{option} {value:g} given, {limits} expected')
    first, last = parse_pair(arguments.seeds, ':')
    if first >= last:
        raise ConfigError(f'--seeds {arguments.seeds} given, A:B with A below B expected')
    folders = {'--textures': arguments.textures, '--meshes': arguments.meshes}
    given = [option for option, folder in folders.items() if folder is not None]
    if given and not arguments.variety:
        raise ConfigError(
            f'{" and ".join(given)} without --variety; only varied scenes use them: give their '
            'share, such as --variety 1'
        )
    _check_sizes(arguments)


def _check_sizes(arguments: argparse.Namespace) -> None:
    sizes = {'size': arguments.size}
    if arguments.copies is not None:
        size, _, folder = arguments.copies.partition(':')
        if not folder:
            raise ConfigError(f'--copies {arguments.copies} given, WxH:FOLDER expected')
        sizes['copies'] = size
    for option, size in sizes.items():
        if not all(map(_SIDE.allows, parse_pair(size, 'x'))):
            raise ConfigError(f'--{option} {size} given, sides of {_SIDE} px expected')


class Copies(NamedTuple):
    """Folder and size of the resized copies."""

    folder: Path
    width: int
    height: int

    def add(self, path: Path) -> None:
        """Write a copy of the clip at `path`, cropped centrally and resized."""
        clip = StoredClip.open(path)
        size = (self.height, self.width)
        window = clip.read(range(clip.length))
        camera = clip.camera().resized(window.rgb.shape[1:3], size)
        rgb, inverse_depth, _ = crop_and_resize(window, size)
        with np.errstate(divide='ignore'):
            write_clip(self.folder / path.name, rgb, 1.0 / inverse_depth, camera)


def _parse_copies(text: str | None) -> Copies | None:
    if text is None:
        return None
    size, _, folder = text.partition(':')
    make_folder(Path(folder))
    return Copies(Path(folder), *parse_pair(size, 'x'))


def _film_seed(path: Path, seed: int, settings: ClipSettings, log: FilmLog) -> None:
    """Render one clip; if no camera path exists for the seed, log that and skip it."""
    try:
        _film_clip(plan_clip(seed, settings), path)
    except SimulationError as error:
        log.lose(seed, error)


def _film_clip(clip: Clip, path: Path) -> None:
    """Render a clip and write it."""
    frames, lens = list(clip.frames()), clip.intrinsics
    camera = Camera(
        (lens.fx, lens.fy, lens.cx, lens.cy),
        np.stack([frame.pose for frame in frames]),
        [frame.stamp_ns for frame in frames],
    )
    rgb, depth = (np.stack([getattr(f, name) for f in frames]) for name in ('rgb', 'depth'))
    write_clip(path, rgb, depth, camera)


def parse_pair(text: str, separator: str) -> tuple[int, int]:
    """
    Return the two numbers of a text like 1:2 or 3x4.

    :raises ConfigError: it is another text.
    """
    first, _, second = text.partition(separator)
    if not (first.isdigit() and second.isdigit()):
        raise ConfigError(f'{text!r} given; two numbers with {separator!r} between them expected')
    return int(first), int(second)
