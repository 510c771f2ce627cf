"""`flashdepth bench --pipeline`: compare the whole node, over DDS, with its estimator alone."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
import shlex
import sys
from typing import Any

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network.presets import DEFAULT_MODEL
from flashdepth_ros.runtime.benchmark import parse_size
from flashdepth_ros.runtime.memory import keep_freed_memory
from flashdepth_ros.tools.benchmark.config import BenchmarkConfig
from flashdepth_ros.tools.benchmark.machine import machine, versions
from flashdepth_ros.tools.benchmark.measurement import Schedule, measure
from flashdepth_ros.tools.benchmark.table import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `run` reads."""
    _add_node_arguments(parser)
    parser.add_argument(
        '--seconds', type=float, default=60.0, help='approximate total duration (default 60)'
    )
    parser.add_argument(
        '--rate',
        type=float,
        default=0.0,
        metavar='HZ',
        help='input rate of the throughput test (default: 1.5 times the rate of the estimator '
        'alone); with --stub, of all tests (default 24)',
    )
    parser.add_argument(
        '--cores',
        type=int,
        default=0,
        metavar='N',
        help='cores reserved for the node and the estimator; camera and listener use the others '
        '(default: all processes share all cores)',
    )
    parser.add_argument(
        '--soak',
        type=int,
        default=0,
        metavar='FRAMES',
        help='also measure the memory growth over this number of frames',
    )
    parser.add_argument(
        '--json', type=Path, metavar='FILE', help='also write the results to this JSON file'
    )


def _add_node_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--model', default=DEFAULT_MODEL, help=f'preset (default {DEFAULT_MODEL})')
    parser.add_argument(
        '--weights', default='', help="checkpoint (default: the preset's own, else random weights)"
    )
    parser.add_argument(
        '--size', default='640x480', metavar='WxH', help='image size, px (default 640x480)'
    )
    parser.add_argument(
        '--short-side',
        type=int,
        default=0,
        metavar='PX',
        help="short side of the network's input (default: the preset's own)",
    )
    parser.add_argument('--device', default='auto', help='cpu, cuda, cuda:N (default auto)')
    parser.add_argument('--precision', default='auto', help='fp32, bf16 ... (default auto)')
    parser.add_argument('--engine', default='auto', help='torch, openvino ... (default auto)')
    parser.add_argument(
        '--stub',
        action='store_true',
        help='replace the network with a stub, to measure the rest of the node',
    )
    parser.add_argument(
        '--reliable',
        action='store_true',
        help='let the node subscribe with reliable QoS (default: best effort)',
    )


def run(arguments: argparse.Namespace) -> int:
    """
    Measure, print the table, write the results, and return 0.

    :raises FlashDepthError: an option is invalid, or a process failed; the text gives its output.
    """
    if not (arguments.seconds > 0 and arguments.rate >= 0 and arguments.soak >= 0):
        raise ConfigError(
            f'--seconds {arguments.seconds} --rate {arguments.rate} --soak {arguments.soak}: '
            'expected seconds above 0; rate and frames above 0, or 0 for the defaults'
        )
    # Otherwise the page faults of the listener's copies, up to 80,000 a second, would add to the
    # measured latency of the node.
    keep_freed_memory()
    schedule = Schedule(arguments.seconds, arguments.rate, arguments.soak)
    about = {'command': shlex.join(sys.argv), 'machine': machine(), 'versions': versions()}
    report = about | measure(_config(arguments), schedule)
    sys.stdout.write('\n'.join(table(report)) + '\n')
    if arguments.json is not None:
        _write(report, arguments.json)
    return 0


def _write(report: dict[str, Any], path: Path) -> None:
    try:
        path.write_text(json.dumps(report, indent=1) + '\n', encoding='utf-8')
    except OSError as error:
        raise ConfigError(f'{path}: cannot be written: {error.strerror}') from error


def _config(arguments: argparse.Namespace) -> BenchmarkConfig:
    width, height = parse_size(arguments.size)
    return BenchmarkConfig(
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
