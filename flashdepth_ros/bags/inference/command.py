"""`flashdepth infer`: write the depth of a recording with the live node's estimator."""

from __future__ import annotations

import argparse
from pathlib import Path
import sys
from typing import get_args

from flashdepth_ros.bags.inference.depth_bag import OutputTopics
from flashdepth_ros.bags.inference.run import INTERRUPTED, InferOptions, Outcome, infer
from flashdepth_ros.bags.writer import Storage
from flashdepth_ros.errors import BagError
from flashdepth_ros.interruption import INTERRUPTED_STATUS
from flashdepth_ros.runtime.options import add_settings, settings_from_arguments
from flashdepth_ros.runtime.scale import ScaleSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `run` reads."""
    parser.add_argument('bag', type=Path, help='rosbag2 folder, .mcap, .db3, or ROS 1 .bag')
    parser.add_argument(
        '-o', '--output', type=Path, required=True, metavar='BAG', help='rosbag2 folder to write'
    )
    parser.add_argument(
        '--topic', default='', help='image topic, raw or compressed; needed if there are several'
    )
    parser.add_argument(
        '--info-topic',
        default='',
        metavar='TOPIC',
        help='camera_info topic (default: the one with the name closest to the image topic)',
    )
    parser.add_argument(
        '--window',
        action='store_true',
        help='video-depth-anything: estimate in overlapping windows of 32 frames, in which every '
        'frame also depends on those after it (default: in streaming mode, as the node does)',
    )
    parser.add_argument(
        '--scale-from',
        default='',
        metavar='TOPIC',
        help='fit the scale to this topic while the frames are estimated, as scale.source does in '
        'the node (default with --scale-source: the only topic of that kind)',
    )
    parser.add_argument('--points', action='store_true', help='also write the point cloud')
    parser.add_argument('--color', action='store_true', help='also write the colour preview')
    parser.add_argument(
        '--confidence', action='store_true', help='also write the confidence of depth'
    )
    parser.add_argument(
        '--copy',
        nargs='*',
        metavar='TOPIC',
        help='copy these original topics to the new bag (without a value: all)',
    )
    parser.add_argument(
        '--namespace', default='', metavar='NAME', help='namespace of the written topics'
    )
    parser.add_argument(
        '--storage', choices=get_args(Storage), default='mcap', help='file format (default mcap)'
    )
    parser.add_argument('--compress', action='store_true', help='compress the new bag with zstd')
    parser.add_argument('--overwrite', action='store_true', help='replace an existing bag')
    add_settings(parser, ScaleSettings)


def run(arguments: argparse.Namespace) -> int:
    """
    Run inference; return 0, or 130 if interrupted after the first frame.

    :raises FlashDepthError: no frame could be processed, or an error ended the run early.
    """
    settings = settings_from_arguments(arguments, ScaleSettings)
    relative = settings.depth_output == 'relative'
    outputs = OutputTopics(
        arguments.namespace, arguments.points, arguments.color, arguments.confidence, relative
    )
    options = InferOptions(
        bag=arguments.bag,
        output=arguments.output,
        settings=settings,
        image=arguments.topic,
        camera_info=arguments.info_topic,
        windows=arguments.window,
        scale_from=arguments.scale_from,
        outputs=outputs,
        copy_topics=None if arguments.copy is None else tuple(arguments.copy),
        storage=arguments.storage,
        compress=arguments.compress,
        overwrite=arguments.overwrite,
    )
    outcome = infer(options)
    kept = f'{outcome.done} of {outcome.frames} frames are kept in {options.output}'
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
    if outcome.unscaled:
        skipped += f', {outcome.unscaled} before the first scale left out'
    if outcome.scale is not None:
        skipped += f', last scale {outcome.scale.factor:.4g}'
    starts = ', '.join(f'{count} {reason}' for reason, count in outcome.resets.items())
    return f'{outcome.done} frames, {rate:.1f} frames/s{skipped}; sequence starts: {starts}'
