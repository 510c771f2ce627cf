"""Run the steps of `flashdepth gpu-check`, in the order of their worth, within a time budget."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
import json
from pathlib import Path
import sys
import time
from typing import Any, TextIO

from flashdepth_ros.entry_point import describe
from flashdepth_ros.errors import ConfigError
from flashdepth_ros.runtime.engines.choice import choose_device
from flashdepth_ros.runtime.gpu_check import (
    checks,
    full_memory,
    node,
    options,
    outputs,
    parts,
    table,
)
from flashdepth_ros.runtime.gpu_check.bench import Bench

Row = dict[str, Any]
Step = Callable[[Bench], Iterator[Row]]
STEPS: dict[str, tuple[float, Step]] = {
    'machine': (1.0, table.machine),
    'full': (25.0, table.full),
    'parity': (25.0, checks.parity),
    'graphs': (25.0, checks.graphs),
    'sizes': (10.0, checks.sizes),
    'precisions': (20.0, checks.precisions),
    'ahead': (10.0, checks.ahead),
    'resizing': (5.0, checks.resizing),
    'threads': (10.0, checks.threads),
    'memory': (10.0, checks.memory),
    'full_memory': (15.0, full_memory.full_memory),
    'products': (5.0, outputs.products),
    'options': (90.0, options.options),
    'models': (35.0, table.models),
    'live': (20.0, table.live),
    'batches': (15.0, table.batches),
    'attention': (5.0, table.attention),
    'parts': (15.0, parts.parts),
    'kernels': (15.0, table.kernels),
    'node': (90.0, node.node),
}
"""By name: the seconds that a step takes at most on a large GPU, and the step."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `run` reads."""
    parser.add_argument(
        '--device', default='cuda', help='cuda, cuda:N, or cpu: a rehearsal at small sizes'
    )
    parser.add_argument(
        '--budget',
        type=float,
        default=480.0,
        metavar='S',
        help='no step is begun that may end later than this (default 480)',
    )
    parser.add_argument(
        '--step', nargs='+', default=list(STEPS), metavar='NAME', help=f'of {", ".join(STEPS)}'
    )
    parser.add_argument(
        '-o', '--output', type=Path, metavar='FILE', help='also write the lines to this file'
    )


def run(arguments: argparse.Namespace) -> int:
    """
    Print one JSON line for each result; return 1 if one is wrong or a step failed.

    :raises ConfigError: the device is not available, or there is no step of a name.
    """
    for name in arguments.step:
        if name not in STEPS:
            raise ConfigError(f'no step {name!r}; one of {", ".join(STEPS)}')
    bench = Bench(choose_device(arguments.device))
    if arguments.output is None:
        return _run_steps(bench, arguments, [sys.stdout])
    try:
        with arguments.output.open('w', encoding='utf-8') as file:
            return _run_steps(bench, arguments, [sys.stdout, file])
    except OSError as error:
        raise ConfigError(f'{arguments.output}: cannot be written: {error.strerror}') from error


def _run_steps(bench: Bench, arguments: argparse.Namespace, outputs: list[TextIO]) -> int:
    started_s, wrong = time.monotonic(), False
    # Its rows have the names and sizes of the GPU's.
    mark = {'rehearsal': True} if bench.rehearsal else {}
    for name in arguments.step:
        expected_s, step = STEPS[name]
        left_s = arguments.budget - (time.monotonic() - started_s)
        if left_s < expected_s and not bench.rehearsal:
            _write({'step': name, 'skipped': f'{left_s:.0f} s left'}, outputs)
            continue
        for row in _rows(step, bench):
            wrong = wrong or row.get('ok') is False
            _write({'step': name, **mark, **row}, outputs)
    return int(wrong)


def _rows(step: Step, bench: Bench) -> Iterator[Row]:
    """Yield the rows of a step and its duration; an exception is a row, not the end."""
    started_s = time.monotonic()
    try:
        yield from step(bench)
    except Exception as error:  # noqa: BLE001 - for example, the memory of the GPU is full
        yield {'ok': False, 'error': describe(error)}
    finally:
        bench.free()
    yield {'seconds': round(time.monotonic() - started_s, 1)}


def _write(row: Row, outputs: list[TextIO]) -> None:
    for output in outputs:
        output.write(json.dumps(row, allow_nan=False, default=str) + '\n')
        output.flush()
