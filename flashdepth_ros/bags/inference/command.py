"""`flashdepth infer`: a recording in, a recording of its depth out, through the live estimator."""

from __future__ import annotations

import argparse
from pathlib import Path
import sys
from typing import get_args

from flashdepth_ros.bags.inference.depth_bag import OutputChoice
from flashdepth_ros.bags.inference.run import INTERRUPTED, InferOptions, Outcome, infer
from flashdepth_ros.bags.writer import Storage
from flashdepth_ros.errors import BagError
from flashdepth_ros.runtime.options import add_settings, settings_of

INTERRUPTED_STATUS = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument('bag', type=Path, help='rosbag2 folder, .mcap, .db3, or ROS 1 .bag')
    parser.add_argument(
        '-o', '--output', type=Path, required=True, metavar='BAG', help='rosbag2 folder to write'
    )
    parser.add_argument(
        '--topic', default='', help='of the images, where the bag has several, raw or compressed'
    )
    parser.add_argument(
        '--info-topic', default='', metavar='TOPIC', help="camera_info (default: the images' own)"
    )
    parser.add_argument('--points', action='store_true', help='write the point cloud too')
    parser.add_argument('--color', action='store_true', help='write the colour preview too')
    parser.add_argument(
        '--copy',
        nargs='*',
        metavar='TOPIC',
        help='copy the original topics into the new bag, all or these',
    )
    parser.add_argument(
        '--namespace', default='', metavar='NAME', help='in front of depth/image and the others'
    )
    parser.add_argument(
        '--storage', choices=get_args(Storage), default='mcap', help='file format (default mcap)'
    )
    parser.add_argument('--compress', action='store_true', help='compress the new bag, with zstd')
    parser.add_argument('--overwrite', action='store_true', help='replace the bag of that name')
    add_settings(parser)


def run(arguments: argparse.Namespace) -> int:
    """
    Infer as the command line says; return 0, or 130 if interrupted with frames done.

    :raises FlashDepthError: nothing could be done, or something stopped it before its end.
    """
    options = InferOptions(
        bag=arguments.bag,
        output=arguments.output,
        settings=settings_of(arguments),
        image=arguments.topic,
        camera_info=arguments.info_topic,
        choice=OutputChoice(arguments.namespace, arguments.points, arguments.color),
        copied=None if arguments.copy is None else tuple(arguments.copy),
        storage=arguments.storage,
        compress=arguments.compress,
        overwrite=arguments.overwrite,
    )
    outcome = infer(options)
    kept = f'the first {outcome.done} of {outcome.frames} frames are kept in {options.output}'
    if outcome.stopped == INTERRUPTED:
        sys.stderr.write(f'flashdepth infer: interrupted; {kept}\n')
        return INTERRUPTED_STATUS
    if outcome.stopped:
        raise BagError(f'{outcome.stopped}; {kept}')
    sys.stdout.write(f'{options.output}: {_summary(outcome)}\n')
    return 0


def _summary(outcome: Outcome) -> str:
    rate = outcome.done / outcome.seconds if outcome.seconds else 0.0
    skipped = f', {outcome.skipped} skipped' if outcome.skipped else ''
    starts = ', '.join(f'{count} {reason}' for reason, count in outcome.resets.items())
    return f'{outcome.done} frames, {rate:.1f} a second{skipped}; sequences began: {starts}'
