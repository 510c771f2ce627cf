"""`flashdepth bench --pipeline`: what the node costs beside its estimator, over real DDS."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
import shlex
import sys
from typing import Any

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.runtime.benchmark import parse_size
from flashdepth_ros.runtime.memory import keep_freed_memory
from flashdepth_ros.tools.benchmark.machine import machine, versions
from flashdepth_ros.tools.benchmark.measurement import Schedule, measure
from flashdepth_ros.tools.benchmark.subject import Subject
from flashdepth_ros.tools.benchmark.table import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument('--model', default='flashdepth-tiny', help='preset (flashdepth-tiny)')
    parser.add_argument(
        '--weights', default='', help="checkpoint (default: the preset's own, else random ones)"
    )
    parser.add_argument('--size', default='640x480', metavar='WxH', help='of the images, px')
    parser.add_argument('--short-side', type=int, default=0, metavar='PX', help='of the network')
    parser.add_argument('--device', default='auto')
    parser.add_argument('--precision', default='auto')
    parser.add_argument('--engine', default='auto')
    parser.add_argument('--seconds', type=float, default=60.0, help='in all, about (default 60)')
    parser.add_argument(
        '--rate',
        type=float,
        default=0.0,
        metavar='HZ',
        help="for the throughput (default: 1.5 times the bare estimator's); with --stub, 24",
    )
    parser.add_argument(
        '--reliable', action='store_true', help='the node subscribes so (default: best effort)'
    )
    parser.add_argument(
        '--cores',
        type=int,
        default=0,
        metavar='N',
        help='for node and bare estimator; camera and listener get the rest (default: all share)',
    )
    parser.add_argument(
        '--stub', action='store_true', help='take the network out: what the rest costs by itself'
    )
    parser.add_argument(
        '--soak', type=int, default=0, metavar='FRAMES', help='also: does memory stay after these'
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the figures there too')


def run(arguments: argparse.Namespace) -> int:
    """
    Measure, print the table, write the figures, and return 0.

    :raises FlashDepthError: an option is not possible, or a process failed; with what it said.
    """
    if not (arguments.seconds > 0 and arguments.rate >= 0 and arguments.soak >= 0):
        raise ConfigError(
            f'--seconds {arguments.seconds} --rate {arguments.rate} --soak {arguments.soak}: '
            'expected seconds above 0, and a rate and frames above 0, or 0 for their defaults'
        )
    # Else the pages that the listener's copies are given anew, up to 80,000 a second, would count
    # as the node's latency.
    keep_freed_memory()
    schedule = Schedule(arguments.seconds, arguments.rate, arguments.soak)
    about = {'command': shlex.join(sys.argv), 'machine': machine(), 'versions': versions()}
    report = about | measure(_subject(arguments), schedule)
    sys.stdout.write('\n'.join(table(report)) + '\n')
    if arguments.json is not None:
        _write(report, arguments.json)
    return 0


def _write(report: dict[str, Any], path: Path) -> None:
    try:
        path.write_text(json.dumps(report, indent=1) + '\n', encoding='utf-8')
    except OSError as error:
        raise ConfigError(f'{path}: cannot be written: {error.strerror}') from error


def _subject(arguments: argparse.Namespace) -> Subject:
    width, height = parse_size(arguments.size)
    return Subject(
        width,
        height,
        arguments.model,
        arguments.weights,
        arguments.device,
        arguments.precision,
        arguments.engine,
        arguments.short_side,
        arguments.reliable,
        arguments.stub,
        arguments.cores,
    )
