"""Record a simulated camera to a bag: `flashdepth simulate`."""

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
    """Render the clip to a new bag: image, camera_info, true depth and odometry."""
    with BagWriter(bag, compress=True, overwrite=overwrite) as writer:
        for frame in tqdm(
            clip.frames(), total=clip.settings.frames, unit='frame', file=sys.stderr
        ):
            camera_frame = CameraFrame(frame.stamp_ns, frame.rgb, frame.depth, frame.pose)
            for message in camera.records(camera_frame):
                writer.write_cdr(message.topic, message.type, message.data, message.stamp_ns)


def add_clip_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `create_clip` reads."""
    parser.add_argument(
        '--seed', type=int, default=0, help='random seed of scene and camera path (default 0)'
    )
    parser.add_argument('--frames', type=int, default=150, help='number of frames (default 150)')
    parser.add_argument(
        '--rate', type=float, default=10.0, metavar='HZ', help='frame rate (default 10)'
    )
    parser.add_argument(
        '--size', default='640x480', metavar='WxH', help='image size, px (default 640x480)'
    )
    parser.add_argument(
        '--kind',
        default='any',
        choices=('any', 'indoor', 'outdoor', 'mixed'),
        help='kind of scene (default any)',
    )
    parser.add_argument('--compressed', action='store_true', help='compress the images as JPEG')


def create_clip(arguments: argparse.Namespace) -> tuple[Clip, Camera]:
    """
    Return the clip that the options describe, and its camera.

    :raises ConfigError: a size or number that is not possible.
    :raises SimulationError: this computer cannot render, or this seed gives no valid clip.
    """
    width, height = _size(arguments.size)
    if arguments.frames < 1 or not arguments.rate > 0:
        raise ConfigError(
            f'{arguments.frames} frames at {arguments.rate:g} Hz; both must be above 0'
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
    """Add the options that `run` reads."""
    parser.add_argument('bag', type=Path, help='the bag to write')
    parser.add_argument('--overwrite', action='store_true', help='replace an existing bag')
    add_clip_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the bag and return 0."""
    clip, camera = create_clip(arguments)
    record(clip, camera, arguments.bag, arguments.overwrite)
    return 0
