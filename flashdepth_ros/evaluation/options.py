"""The command line options of `flashdepth evaluate` and `evaluate-frames`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.evaluation.candidates import (
    KEYS,
    STILL_KEYS,
    Candidate,
    check_labels,
    parse_model,
    parse_recorded,
)
from flashdepth_ros.evaluation.protocol import ALIGNMENTS, Protocol, Topics
from flashdepth_ros.network.presets import DEFAULT_MODEL
from flashdepth_ros.runtime.engines import ENGINES, PRECISIONS
from flashdepth_ros.runtime.scale import ScaleSettings
from flashdepth_ros.runtime.setting_description import update

_TOPICS = {
    'image': ('--topic', 'images, raw or compressed'),
    'camera_info': ('--info-topic', 'camera_info of the images'),
    'depth': ('--depth-topic', 'true depth as images, 32FC1 or 16UC1'),
    'lidar': ('--lidar-topic', 'true depth as a PointCloud2, projected into the image'),
    'odometry': ('--odometry-topic', 'poses of the camera or the robot base, in addition to /tf'),
}
_NUMBERS = {
    'tolerance_s': ('--tolerance', 'S', 'maximum time between a frame and its ground truth'),
    'depth_min_m': ('--depth-min', 'M', 'ignore nearer ground truth'),
    'depth_max_m': ('--depth-max', 'M', 'ignore farther ground truth'),
    'pixels_max': ('--pixels-max', 'N', 'subsample larger ground truth'),
    'image_bits': ('--image-bits', 'N', 'bits in use of 16-bit images; 0: found from the images'),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of recordings, which the functions below read."""
    parser.add_argument(
        'bags', nargs='+', type=Path, metavar='BAG', help='recordings with ground truth'
    )
    add_output(parser)
    candidates = parser.add_argument_group('candidates')
    add_models(candidates, KEYS)
    _add_sequences(candidates)
    topics = parser.add_argument_group('topics', 'default: the only topic of that type in the bag')
    for name, (option, text) in _TOPICS.items():
        topics.add_argument(option, dest=name, default='', metavar='NAME', help=text)
    topics.add_argument(
        '--lidar-pose',
        default='',
        metavar='X,Y,Z,QX,QY,QZ,QW',
        help="pose of the lidar in the camera's optical frame (x right, y down, z forward), m; "
        'write --lidar-pose=... (default: from /tf)',
    )
    comparison = parser.add_argument_group('comparison')
    add_protocol(comparison, _NUMBERS)
    comparison.add_argument(
        '--allow-other-camera',
        action='store_true',
        help='compare pixel by pixel even if frame_id or camera_info of ground truth or '
        'predictions are not those of the images',
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the options of the report."""
    parser.add_argument(
        '-o',
        '--output',
        type=Path,
        default=Path('evaluation'),
        metavar='FOLDER',
        help='folder for the report (default evaluation)',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace an existing report')


def add_models(group: argparse._ArgumentGroup, keys: Iterable[str]) -> None:
    """Add the options of models and their settings; `keys` are those of --model."""
    group.add_argument(
        '--model',
        action='append',
        default=[],
        metavar='NAME[,KEY=VALUE...]',
        help=f'a preset; keys: {", ".join(keys)}; may be repeated (default {DEFAULT_MODEL})',
    )
    group.add_argument(
        '--temporal',
        choices=('on', 'off'),
        default='on',
        help='temporal module, for models without this key (default on)',
    )
    group.add_argument(
        '--short-side',
        type=int,
        default=0,
        metavar='PX',
        help="short side of the input, for models without this key (default: the preset's)",
    )
    group.add_argument(
        '--device', default='auto', help='device, for models without this key (default auto)'
    )
    group.add_argument(
        '--precision',
        choices=('auto', *PRECISIONS),
        default='auto',
        help='precision, for models without this key (default auto)',
    )
    group.add_argument(
        '--engine',
        choices=ENGINES,
        default='auto',
        help='engine, for models without this key (default auto)',
    )


def _add_sequences(group: argparse._ArgumentGroup) -> None:
    """Add the options of candidates that need the whole recording."""
    group.add_argument(
        '--predictions',
        action='append',
        default=[],
        metavar='BAG[,KEY=VALUE...]',
        help='a bag of depth images, for example from flashdepth infer, or a folder of bags with '
        'the names of the evaluated bags; keys: topic, label; may be repeated',
    )
    group.add_argument(
        '--window',
        action='store_true',
        help='estimate in windows of the video, for models without this key that have windows '
        '(default: frame by frame, as the live node)',
    )
    group.add_argument(
        '--scale-from',
        default='',
        metavar='TOPIC',
        help='fit the scale to this topic while the frames are estimated, as scale.source does in '
        'the node, for models without this key',
    )


def add_protocol(group: argparse._ArgumentGroup, numbers: Iterable[str]) -> None:
    """Add the options of the comparison, of its numbers those named."""
    defaults = Protocol()
    for name in numbers:
        option, unit, text = _NUMBERS[name]
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
        help=f'alignment of plots and pictures; tables show all (default {defaults.alignment})',
    )


def protocol_of(arguments: argparse.Namespace) -> Protocol:
    """Return the settings of the comparison; ConfigError for invalid numbers."""
    given = vars(arguments)
    return Protocol(
        **{each.name: given[each.name] for each in fields(Protocol) if each.name in given}
    )


def topics_of(arguments: argparse.Namespace) -> Topics:
    """Return the names of the topics; ConfigError for conflicting options."""
    if arguments.depth and arguments.lidar:
        raise ConfigError('both --depth-topic and --lidar-topic; give only one, the ground truth')
    topics = {name: getattr(arguments, name) for name in _TOPICS}
    return Topics(**topics, lidar_pose=_pose(arguments.lidar_pose))


def candidates_of(arguments: argparse.Namespace) -> tuple[Candidate, ...]:
    """Return the candidates; ConfigError for unknown names, keys or values."""
    recorded = [parse_recorded(text) for text in arguments.predictions]
    names = arguments.model if recorded else arguments.model or [ScaleSettings().model]
    defaults = _defaults(arguments)
    models = [
        parse_model(text, defaults, arguments.window, arguments.scale_from) for text in names
    ]
    return check_labels([*models, *recorded])


def still_candidates_of(arguments: argparse.Namespace) -> tuple[Candidate, ...]:
    """Return the models for still images; ConfigError as in `candidates_of`."""
    names = arguments.model or [ScaleSettings().model]
    defaults = _defaults(arguments)
    return check_labels([parse_model(text, defaults, keys=STILL_KEYS) for text in names])


def _defaults(arguments: argparse.Namespace) -> ScaleSettings:
    """Return the settings of `add_models`, for models without these keys."""
    return update(
        ScaleSettings(),
        {
            'temporal': arguments.temporal == 'on',
            'inference.short_side': arguments.short_side,
            'device': arguments.device,
            'precision': arguments.precision,
            'engine': arguments.engine,
        },
    )


def _pose(text: str) -> tuple[float, ...]:
    try:
        pose = tuple(float(number) for number in text.split(',')) if text else ()
    except ValueError:
        pose = (0.0,)
    if pose and (len(pose) != 7 or not any(pose[3:])):
        raise ConfigError(f'--lidar-pose {text!r}; expected seven numbers: x,y,z,qx,qy,qz,qw')
    return pose
