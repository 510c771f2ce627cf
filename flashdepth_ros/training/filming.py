"""`flashdepth film`: clips of the simulator, on disk, for training."""

import argparse
from pathlib import Path
import sys
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from flashdepth_ros.errors import ConfigError, SimulationError
from flashdepth_ros.simulation.clip import Clip, ClipSettings, plan_clip
from flashdepth_ros.simulation.renderer import start_gl
from flashdepth_ros.training.augmentation import cropped
from flashdepth_ros.training.clips import SUFFIX, Camera, write_clip
from flashdepth_ros.training.clips import Clip as StoredClip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument('folder', type=Path, help='where the clips go; those there are kept')
    parser.add_argument('--seeds', default='0:1000', metavar='A:B', help='one clip each, A to B-1')
    parser.add_argument('--frames', type=int, default=24, help='of each clip (default 24)')
    parser.add_argument('--rate', type=float, default=10.0, metavar='HZ', help='default 10')
    parser.add_argument('--size', default='252x196', metavar='WxH', help='default 252x196')
    parser.add_argument(
        '--copies',
        metavar='WxH:FOLDER',
        help='also write each clip resized, which is quicker to read for training at that size',
    )
    parser.add_argument(
        '--kind', default='any', choices=('any', 'indoor', 'outdoor', 'mixed'), help='of world'
    )
    parser.add_argument(
        '--sampling', type=int, default=2, help='colour rays a pixel along each axis (default 2)'
    )
    parser.add_argument(
        '--shadows', type=float, default=0.25, help='share of scenes with shadows (default 0.25)'
    )
    parser.add_argument(
        '--clips-per-scene',
        type=int,
        default=4,
        metavar='N',
        help='so many successive seeds share a scene, whose making costs as much as filming '
        'twenty frames (default 4)',
    )


def run(arguments: argparse.Namespace) -> int:
    """
    Film what is not there yet; run it again to go on, or beside itself with other seeds.

    :raises ConfigError: seeds or a size that cannot be read, or no clip per scene.
    :raises SimulationError: this machine cannot render.
    """
    first, last = _numbers(arguments.seeds, ':')
    width, height = _numbers(arguments.size, 'x')
    if arguments.clips_per_scene < 1:
        raise ConfigError(f'{arguments.clips_per_scene} clips per scene; 1 or more expected')
    settings = ClipSettings(
        width=width,
        height=height,
        frames=arguments.frames,
        rate_hz=arguments.rate,
        kind=arguments.kind,
        supersampling=arguments.sampling,
        shadow_share=arguments.shadows,
        clips_per_scene=arguments.clips_per_scene,
    )
    copies = _copies(arguments.copies)
    start_gl()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for seed in tqdm(range(first, last), unit='clip', file=sys.stderr):
        path = arguments.folder / f'{seed:06d}{SUFFIX}'
        if not path.exists():
            _film(path, seed, settings)
        if copies and path.exists() and not (copies.folder / path.name).exists():
            copies.add(path)
    return 0


class Copies(NamedTuple):
    """Where the same clips go at another size."""

    folder: Path
    width: int
    height: int

    def add(self, path: Path) -> None:
        """Write the clip at `path` once more, resized and cut at its middle."""
        clip = StoredClip.open(path)
        size = (self.height, self.width)
        window = clip.read(range(clip.length))
        camera = clip.camera().resized(window.rgb.shape[1:3], size)
        rgb, inverse_depth, _ = cropped(window, size)
        with np.errstate(divide='ignore'):
            write_clip(self.folder / path.name, rgb, 1.0 / inverse_depth, camera)


def _copies(text: str | None) -> Copies | None:
    if text is None:
        return None
    size, _, folder = text.partition(':')
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Copies(Path(folder), *_numbers(size, 'x'))


def _film(path: Path, seed: int, settings: ClipSettings) -> None:
    """Film one clip; a seed from which no path leads is passed over and told."""
    try:
        write(plan_clip(seed, settings), path)
    except SimulationError as error:
        tqdm.write(str(error), file=sys.stderr)


def write(clip: Clip, path: Path) -> None:
    """Film a clip and write it."""
    frames, lens = list(clip.frames()), clip.intrinsics
    camera = Camera(
        (lens.fx, lens.fy, lens.cx, lens.cy),
        np.stack([frame.pose for frame in frames]),
        [frame.stamp_ns for frame in frames],
    )
    rgb, depth = (np.stack([getattr(f, name) for f in frames]) for name in ('rgb', 'depth'))
    write_clip(path, rgb, depth, camera)


def _numbers(text: str, separator: str) -> tuple[int, int]:
    first, _, second = text.partition(separator)
    if not (first.isdigit() and second.isdigit()):
        raise ConfigError(f'{text!r}; two numbers with {separator!r} between them expected')
    return int(first), int(second)
