"""The options of `flashdepth evaluate`, and what they say."""

from __future__ import annotations

import argparse
from pathlib import Path

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.evaluation.candidates import (
    KEYS,
    Candidate,
    parse_model,
    parse_recorded,
    told_apart,
)
from flashdepth_ros.evaluation.protocol import ALIGNMENTS, Protocol, Topics
from flashdepth_ros.runtime.engines import ENGINES, PRECISIONS
from flashdepth_ros.runtime.settings import Settings, update

_TOPICS = {
    'image': ('--topic', 'pictures, raw or compressed'),
    'camera_info': ('--info-topic', 'camera_info of the pictures'),
    'depth': ('--depth-topic', 'true depth as images of the same view, 32FC1 or 16UC1'),
    'lidar': ('--lidar-topic', 'true depth as a PointCloud2, projected into the pictures'),
    'odometry': ('--odometry-topic', 'poses of the camera or its base, beside /tf'),
}
_NUMBERS = {
    'tolerance_s': ('--tolerance', 'S', 'a frame and its truth may be this far apart'),
    'depth_min_m': ('--depth-min', 'M', 'nearer truth does not count'),
    'depth_max_m': ('--depth-max', 'M', 'farther truth does not count'),
    'pixels_max': ('--pixels-max', 'N', 'larger truth is thinned'),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the functions below read."""
    parser.add_argument('bags', nargs='+', type=Path, metavar='BAG', help='recordings with truth')
    parser.add_argument(
        '-o',
        '--output',
        type=Path,
        default=Path('evaluation'),
        metavar='FOLDER',
        help='of the report (default evaluation)',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace an earlier report')
    _add_candidates(parser.add_argument_group('what is judged'))
    topics = parser.add_argument_group('topics', 'found, where there is one to choose')
    for name, (option, text) in _TOPICS.items():
        topics.add_argument(option, dest=name, default='', metavar='NAME', help=text)
    topics.add_argument(
        '--lidar-pose',
        default='',
        metavar='X,Y,Z,QX,QY,QZ,QW',
        help="of the lidar in the camera's optical frame (x right, y down, z forward), m; write "
        '--lidar-pose=... (default: as /tf says)',
    )
    _add_protocol(parser.add_argument_group('how'))


def _add_candidates(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--model',
        action='append',
        default=[],
        metavar='NAME[,KEY=VALUE...]',
        help=f'a preset; keys: {", ".join(KEYS)}, label; may be given again '
        '(default flashdepth-tiny)',
    )
    group.add_argument(
        '--predictions',
        action='append',
        default=[],
        metavar='BAG[,KEY=VALUE...]',
        help='a bag of depth images, as flashdepth infer writes it, or a folder of bags named as '
        'those evaluated; keys: topic, label; may be given again',
    )
    group.add_argument(
        '--temporal',
        choices=('on', 'off'),
        default='on',
        help='of models that do not say (default on)',
    )
    group.add_argument('--short-side', type=int, default=0, metavar='PX', help='likewise')
    group.add_argument('--device', default='auto', help='likewise (default auto)')
    group.add_argument('--precision', choices=('auto', *PRECISIONS), default='auto')
    group.add_argument('--engine', choices=ENGINES, default='auto')


def _add_protocol(group: argparse._ArgumentGroup) -> None:
    defaults = Protocol()
    for name, (option, unit, text) in _NUMBERS.items():
        default = getattr(defaults, name)
        group.add_argument(
            option,
            dest=name,
            type=type(default),
            default=default,
            metavar=unit,
            help=f'{text} (default {default:g})',
        )
    group.add_argument(
        '--alignment',
        choices=ALIGNMENTS,
        default=defaults.alignment,
        help=f'that plots and pictures show; tables have all (default {defaults.alignment})',
    )


def protocol_of(arguments: argparse.Namespace) -> Protocol:
    """Return how to compare; ConfigError for numbers that make no sense."""
    numbers = {name: getattr(arguments, name) for name in _NUMBERS}
    return Protocol(**numbers, alignment=arguments.alignment)


def topics_of(arguments: argparse.Namespace) -> Topics:
    """Return where to find what; ConfigError for options that contradict each other."""
    if arguments.depth and arguments.lidar:
        raise ConfigError('--depth-topic and --lidar-topic; one of them is the truth')
    topics = {name: getattr(arguments, name) for name in _TOPICS}
    return Topics(**topics, lidar_pose=_pose(arguments.lidar_pose))


def candidates_of(arguments: argparse.Namespace) -> tuple[Candidate, ...]:
    """Return what is judged; ConfigError for names, keys or values that are not known."""
    defaults = update(
        Settings(),
        {
            'temporal': arguments.temporal == 'on',
            'inference.short_side': arguments.short_side,
            'device': arguments.device,
            'precision': arguments.precision,
            'engine': arguments.engine,
        },
    )
    models = arguments.model or ([] if arguments.predictions else [defaults.model])
    recorded = [parse_recorded(text) for text in arguments.predictions]
    return told_apart([*(parse_model(text, defaults) for text in models), *recorded])


def _pose(text: str) -> tuple[float, ...]:
    try:
        pose = tuple(float(number) for number in text.split(',')) if text else ()
    except ValueError:
        pose = (0.0,)
    if pose and (len(pose) != 7 or not any(pose[3:])):
        raise ConfigError(f'--lidar-pose {text!r}; seven numbers: x, y, z and a quaternion')
    return pose
