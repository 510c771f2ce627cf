"""The command `flashdepth evaluate`; under torchrun, `-m flashdepth_ros.cli evaluate`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
import shutil
import sys
from tempfile import TemporaryDirectory

from flashdepth_ros.errors import BagError, ConfigError
from flashdepth_ros.evaluation.bag import Task
from flashdepth_ros.evaluation.candidates import (
    Candidate,
    ModelCandidate,
    parse_model,
    parse_recorded,
    switch,
    told_apart,
)
from flashdepth_ros.evaluation.evaluation import Evaluation, evaluate
from flashdepth_ros.evaluation.protocol import ALIGNMENTS, Protocol, Topics
from flashdepth_ros.evaluation.summary import Summary
from flashdepth_ros.runtime.distributed import World, joined

#: One process may be busy with its bags for as long as this while the others have finished.
_PATIENCE = timedelta(days=7)
_SCRATCH = '.scratch-'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    defaults = Protocol()
    parser.add_argument('bags', nargs='+', type=Path, metavar='BAG', help='recordings with truth')
    parser.add_argument(
        '-o', '--output', type=Path, default=Path('evaluation'), metavar='FOLDER',
        help='of the report (default evaluation)',
    )  # fmt: skip
    parser.add_argument('--overwrite', action='store_true', help='replace an earlier report')
    _add_candidates(parser.add_argument_group('what is judged'))
    _add_topics(parser.add_argument_group('topics', 'found, where there is one to choose'))
    how = parser.add_argument_group('how')
    numbers = (
        ('tolerance', 'tolerance_s', 'S', 'a frame and its truth may be this far apart'),
        ('depth-min', 'depth_min_m', 'M', 'nearer truth does not count'),
        ('depth-max', 'depth_max_m', 'M', 'farther truth does not count'),
    )
    for option, name, unit, text in numbers:
        default = getattr(defaults, name)
        text = f'{text} (default {default:g})'
        how.add_argument(
            f'--{option}', dest=name, type=float, default=default, metavar=unit, help=text
        )
    how.add_argument(
        '--pixels-max', type=int, default=defaults.pixels_max, metavar='N',
        help=f'larger truth is thinned (default {defaults.pixels_max})',
    )  # fmt: skip
    how.add_argument(
        '--alignment', choices=ALIGNMENTS, default=defaults.alignment,
        help='that plots and pictures show; tables have all (default scale_shift)',
    )  # fmt: skip


def _add_candidates(group: argparse._ArgumentGroup) -> None:
    keys = 'weights, temporal, short_side, precision, engine, device, label'
    group.add_argument(
        '--model', action='append', default=[], metavar='NAME[,KEY=VALUE...]',
        help=f'a preset; keys: {keys}; may be given again (default flashdepth-tiny)',
    )  # fmt: skip
    group.add_argument(
        '--predictions', action='append', default=[], metavar='BAG[,KEY=VALUE...]',
        help='a bag of depth images, as flashdepth infer writes it, or a folder of bags named as '
        'those evaluated; keys: topic, label; may be given again',
    )  # fmt: skip
    group.add_argument('--temporal', default='on', metavar='on|off', help='of all (default on)')
    group.add_argument('--short-side', type=int, default=0, metavar='PX', help='of all')
    for name in ('device', 'precision', 'engine'):
        group.add_argument(f'--{name}', default='auto', help='of all models (default auto)')


def _add_topics(group: argparse._ArgumentGroup) -> None:
    texts = {
        'image': 'pictures, raw or compressed',
        'camera-info': 'of the pictures',
        'depth': 'true depth as images of the same view, 32FC1 or 16UC1',
        'lidar': 'true depth as a PointCloud2, projected into the pictures',
        'odometry': 'the pose of the camera or its base, beside /tf',
    }
    for name, text in texts.items():
        group.add_argument(f'--{name}', default='', metavar='TOPIC', help=text)
    group.add_argument(
        '--lidar-pose', default='', metavar='X,Y,Z,QX,QY,QZ,QW',
        help="of the lidar in the camera's optical frame (x right, y down, z forward), m; "
        'write --lidar-pose=... (default: as /tf says)',
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """
    Judge, and write the report.

    :raises ConfigError: an option that makes no sense.
    :raises CheckpointError: weights that are missing or do not fit.
    :raises BagError: a bag could not be judged to its end; what was done is in the report.
    """
    from flashdepth_ros.evaluation.report import write_report

    protocol, topics = _protocol(arguments), _topics(arguments)
    candidates = _candidates(arguments)
    output: Path = arguments.output
    with joined(_PATIENCE) as world:
        _prepare(output, arguments.overwrite, world)
        with TemporaryDirectory(dir=output, prefix=_SCRATCH) as scratch:
            estimators = {
                each.label: each.estimator()
                for each in candidates
                if isinstance(each, ModelCandidate)
            }
            task = Task(
                candidates, topics, protocol, estimators, Path(scratch), progress=world.leads
            )
            evaluation = evaluate(arguments.bags, task, world)
        if not world.leads:
            return 0
        if evaluation.frames:
            write_report(evaluation, output)
            sys.stdout.write('\n'.join(_lines(evaluation, output)) + '\n')
    return _status(evaluation)


def _prepare(output: Path, overwrite: bool, world: World) -> None:
    """Make the folder; one process does, while the others wait."""
    if world.leads:
        if (output / 'report.html').exists() and not overwrite:
            raise ConfigError(f'{output} holds a report; give another --output, or --overwrite')
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f'{output} cannot be made: {error.strerror}') from error
        # Left by a run that was killed.
        for stale in output.glob(f'{_SCRATCH}*'):
            shutil.rmtree(stale, ignore_errors=True)
    world.wait()


def _status(evaluation: Evaluation) -> int:
    if evaluation.interrupted:
        raise KeyboardInterrupt
    failures = evaluation.failures
    if failures:
        more = f' (and {len(failures) - 1} more, see the report)' if len(failures) > 1 else ''
        raise BagError(f'{failures[0]}{more}')
    return 0


def _protocol(arguments: argparse.Namespace) -> Protocol:
    names = ('tolerance_s', 'depth_min_m', 'depth_max_m', 'pixels_max', 'alignment')
    return Protocol(**{name: getattr(arguments, name) for name in names})


def _topics(arguments: argparse.Namespace) -> Topics:
    names = ('image', 'camera_info', 'depth', 'lidar', 'odometry')
    topics = Topics(**{name: getattr(arguments, name) for name in names})
    if topics.depth and topics.lidar:
        raise ConfigError('--depth and --lidar; one of them is the truth')
    if not arguments.lidar_pose:
        return topics
    try:
        pose = tuple(float(number) for number in arguments.lidar_pose.split(','))
    except ValueError:
        pose = ()
    if len(pose) != 7 or not any(pose[3:]):
        raise ConfigError(
            f'--lidar-pose {arguments.lidar_pose!r}; seven numbers: x, y, z and a quaternion'
        )
    return replace(topics, lidar_pose=pose)


def _candidates(arguments: argparse.Namespace) -> tuple[Candidate, ...]:
    defaults = ModelCandidate(
        temporal=switch(arguments.temporal),
        short_side=arguments.short_side,
        precision=arguments.precision,
        engine=arguments.engine,
        device=arguments.device,
    )
    models = arguments.model or ([] if arguments.predictions else [defaults.model])
    candidates: list[Candidate] = [parse_model(text, defaults) for text in models]
    candidates += [parse_recorded(text) for text in arguments.predictions]
    return tuple(told_apart(candidates))


def _lines(evaluation: Evaluation, output: Path) -> list[str]:
    alignment = evaluation.protocol.alignment
    width = max(len(label) for label in evaluation.labels)
    lines = [f'{"":<{width}}  AbsRel     δ1      F1   flicker   drift     fps   ({alignment})']
    lines += [_line(summary, alignment, width) for summary in evaluation.summaries]
    return [*lines, '', f'{output / "report.html"}']


def _line(summary: Summary, alignment: str, width: int) -> str:
    scores = summary.scores[alignment]
    return (
        f'{summary.label:<{width}}  {scores["abs_rel"]:6.3f} {scores["delta1"]:6.3f} '
        f'{scores["boundary_f1"]:7.3f} {100 * scores["flicker"]:7.2f} % '
        f'{100 * summary.scale_drift:5.2f} % {summary.fps:7.2f}'
    )
