"""`flashdepth bench`: time and memory of the network by engine, precision and size."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from itertools import product
import json
import multiprocessing
import sys

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network import PRESETS
from flashdepth_ros.runtime.engines import ENGINES, PRECISIONS, EngineChoice, resolve
from flashdepth_ros.runtime.measurement import Case, Measurement, measure


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `run`."""
    parser.add_argument(
        '--model', choices=tuple(PRESETS), default='flashdepth-s', help='(default flashdepth-s)'
    )
    parser.add_argument(
        '--size', nargs='+', default=['644x364'], metavar='WxH', help='px, multiples of 14'
    )
    parser.add_argument('--engine', nargs='+', choices=ENGINES, default=['auto'])
    parser.add_argument('--precision', nargs='+', choices=('auto', *PRECISIONS), default=['auto'])
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda, cuda:N or intel_gpu')
    parser.add_argument(
        '--frames', type=int, default=20, help='number of timed frames (default 20)'
    )
    parser.add_argument('--json', action='store_true', help='print one JSON object per line')


def run(arguments: argparse.Namespace) -> int:
    """
    Measure every requested combination, each on a stream of preloaded random frames.

    :raises ConfigError: a size is not of the form WxH.
    """
    for line in result_lines(arguments):
        sys.stdout.write(line + '\n')
        sys.stdout.flush()
    return 0


def result_lines(arguments: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of the table, or one JSON object per measurement."""
    if not arguments.json:
        yield _HEADER
    skipped = []
    sizes = [parse_size(text) for text in arguments.size]
    for size, engine, precision in product(sizes, arguments.engine, arguments.precision):
        choice = EngineChoice(arguments.device, precision, engine)
        try:
            resolve(choice)
        except ConfigError as error:
            skipped.append(str(error))
            continue
        case = Case(arguments.model, size, choice, arguments.frames)
        measurement = measure_in_subprocess(case)
        yield json.dumps(asdict(measurement)) if arguments.json else _row(measurement)
    yield from () if arguments.json else sorted(set(skipped))


def measure_in_subprocess(case: Case) -> Measurement:
    """Measure in a new process, so that the memory of one case does not count for the next."""
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        return pool.apply(measure, (case,))


_HEADER = (
    f'{"model":22} {"size":>9} {"engine":>9} {"precision":>9} {"median ms":>9} {"p95 ms":>8} '
    f'{"fps":>7} {"GFLOP":>7} {"GFLOP/s":>8} {"of peak":>7} {"peak MiB":>8} {"growth":>6} '
    f'{"deviation":>9}'
)


def _row(m: Measurement) -> str:
    return (
        f'{m.model:22} {f"{m.width}x{m.height}":>9} {m.engine:>9} {m.precision:>9} '
        f'{m.median_ms:9.1f} {m.p95_ms:8.1f} {m.fps:7.2f} {m.gflop:7.1f} {m.gflops:8.1f} '
        f'{m.peak_share:7.1%} {m.memory_peak_mib:8.0f} {m.memory_growth_mib:6.1f} '
        f'{m.deviation:9.3%}'
    )


def parse_size(text: str) -> tuple[int, int]:
    """
    Return width and height from 'WxH', px.

    :raises ConfigError: the text does not have this form.
    """
    width, _, height = text.lower().partition('x')
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise ConfigError(f'invalid size {text!r}; expected WxH in px, such as 644x364')
    return int(width), int(height)
