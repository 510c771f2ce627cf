"""A recording of a camera in a simulated world: `flashdepth simulate`."""

from __future__ import annotations

import argparse
from pathlib import Path
import sys

from tqdm import tqdm

from flashdepth_ros.bags import BagWriter
from flashdepth_ros.bags.camera import Camera, CameraFrame
from flashdepth_ros.errors import ConfigError
from flashdepth_ros.simulation.clip import Clip, ClipSettings, plan_clip

JPEG_QUALITY = 80


def record(clip: Clip, camera: Camera, bag: Path, overwrite: bool = False) -> None:
    """Film the clip into a new bag: image, camera_info, true depth and odometry."""
    with BagWriter(bag, compress=True, overwrite=overwrite) as writer:
        for frame in tqdm(
            clip.frames(), total=clip.settings.frames, unit='frame', file=sys.stderr
        ):
            seen = CameraFrame(frame.stamp_ns, frame.rgb, frame.depth, frame.pose)
            for message in camera.records(seen):
                writer.write_cdr(message.topic, message.type, message.data, message.stamp_ns)


def add_clip_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `plan` reads."""
    parser.add_argument('--seed', type=int, default=0, help='which world and path (default 0)')
    parser.add_argument('--frames', type=int, default=150, help='length (default 150)')
    parser.add_argument('--rate', type=float, default=10.0, metavar='HZ', help='default 10')
    parser.add_argument('--size', default='640x480', metavar='WxH', help='default 640x480')
    parser.add_argument(
        '--kind', default='any', choices=('any', 'indoor', 'outdoor', 'mixed'), help='of world'
    )
    parser.add_argument('--compressed', action='store_true', help='images as JPEG')


def plan(arguments: argparse.Namespace) -> tuple[Clip, Camera]:
    """
    Return the clip that the command line asks for, and the camera that films it.

    :raises ConfigError: a size or number that is not possible.
    :raises SimulationError: it cannot be filmed on this machine, or not from this seed.
    """
    width, height = _size(arguments.size)
    if arguments.frames < 1 or not arguments.rate > 0:
        raise ConfigError(
            f'{arguments.frames} frames at {arguments.rate:g} Hz; both must be more than 0'
        )
    settings = ClipSettings(
        width=width,
        height=height,
        frames=arguments.frames,
        rate_hz=arguments.rate,
        kind=arguments.kind,
    )
    clip = plan_clip(arguments.seed, settings)
    return clip, Camera(clip.intrinsics, JPEG_QUALITY if arguments.compressed else 0)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition('x')
    if not (width.isdigit() and height.isdigit() and int(width) > 1 and int(height) > 1):
        raise ConfigError(f'size {text!r}; write it as 640x480')
    return int(width), int(height)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument('bag', type=Path, help='the bag to write')
    parser.add_argument('--overwrite', action='store_true', help='replace a bag of that name')
    add_clip_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write a bag as the command line says, and return 0."""
    clip, camera = plan(arguments)
    record(clip, camera, arguments.bag, arguments.overwrite)
    return 0
