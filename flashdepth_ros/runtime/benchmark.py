"""`flashdepth bench`: time and memory of the network by engine, precision and size."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from itertools import product
import json
import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path
import sys

from flashdepth_ros.errors import ConfigError, FlashDepthError
from flashdepth_ros.interruption import children_without_interrupt
from flashdepth_ros.network import PRESETS
from flashdepth_ros.network.config import check_size
from flashdepth_ros.network.presets import DEFAULT_MODEL
from flashdepth_ros.runtime.engines import ENGINES, PRECISIONS, EngineChoice, resolve
from flashdepth_ros.runtime.engines.exported_model import is_exported
from flashdepth_ros.runtime.engines.loading import check_suffix
from flashdepth_ros.runtime.measurement import Case, Measurement, measure


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `run`."""
    parser.add_argument(
        '--model',
        choices=tuple(PRESETS),
        default=DEFAULT_MODEL,
        help=f'(default {DEFAULT_MODEL})',
    )
    parser.add_argument(
        '--weights',
        default='',
        help="a .pth, .safetensors or exported .onnx file (default: the preset's)",
    )
    parser.add_argument(
        '--size',
        nargs='+',
        default=['588x448'],
        metavar='WxH',
        help='px, multiples of 14 (default 588x448)',
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

    :return: 1 if nothing could be measured; the reasons are on standard error.
    :raises ConfigError: a size or the number of frames is not possible.
    :raises CheckpointError: the weights have a name that no weights have.
    """
    measured = 0
    for case in _cases(arguments):
        try:
            if not is_exported(case.weights):
                resolve(case.choice)
            measurement = measure_in_subprocess(case)
        except FlashDepthError as error:
            sys.stderr.write(f'not measured: {error}\n')
            continue
        if not measured and not arguments.json:
            sys.stdout.write(f'{_HEADER}\n')
        measured += 1
        line = json.dumps(asdict(measurement)) if arguments.json else _row(measurement)
        sys.stdout.write(f'{line}\n')
        sys.stdout.flush()
    return 0 if measured else 1


def _cases(arguments: argparse.Namespace) -> Iterator[Case]:
    if arguments.frames < 1:
        raise ConfigError(f'{arguments.frames} frames; expected 1 or more')
    if arguments.weights:
        check_suffix(Path(arguments.weights))
    sizes = [parse_size(text) for text in arguments.size]
    for width, height in sizes:
        check_size(width, height)
    for size, engine, precision in product(sizes, arguments.engine, arguments.precision):
        choice = EngineChoice(arguments.device, precision, engine)
        yield Case(arguments.model, size, choice, arguments.frames, arguments.weights)


def measure_in_subprocess(case: Case) -> Measurement:
    """
    Measure in a new process, so that the memory of one case does not count for the next.

    :raises FlashDepthError: it cannot be measured.
    """
    context = multiprocessing.get_context('spawn')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_measurement, args=(case, sender))
    with children_without_interrupt():
        process.start()
    sender.close()
    try:
        result: Measurement | str = receiver.recv()
    except EOFError:
        process.join()
        result = f'its process ended with status {process.exitcode}'
    finally:
        process.kill()
        process.join()
    if isinstance(result, str):
        width, height = case.size
        raise FlashDepthError(f'{case.model} at {width}x{height}: {result}')
    return result


def _send_measurement(case: Case, sender: Connection) -> None:
    """Send the measurement, or the reason why there is none."""
    try:
        sender.send(measure(case))
    except FlashDepthError as error:
        sender.send(str(error))
    except Exception as error:  # noqa: BLE001 - the other process reports it
        sender.send(f'{type(error).__name__}: {error}')


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
