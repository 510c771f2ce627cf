"""Run an evaluation, of recordings or of still images, and write its report."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
import shutil
import sys
from tempfile import TemporaryDirectory

from flashdepth_ros.errors import BagError, ConfigError
from flashdepth_ros.evaluation.bag import Task
from flashdepth_ros.evaluation.candidates import Candidate, load
from flashdepth_ros.evaluation.evaluation import Evaluation
from flashdepth_ros.evaluation.options import protocol_of
from flashdepth_ros.evaluation.problems import lines_of
from flashdepth_ros.evaluation.protocol import Topics
from flashdepth_ros.interruption import Interruption
from flashdepth_ros.runtime.distributed import World, process_group

#: How long finished processes wait for the results of the others.
_GATHER_TIMEOUT = timedelta(days=7)
_SCRATCH = '.scratch-'


def run_and_report(
    arguments: argparse.Namespace,
    candidates: tuple[Candidate, ...],
    topics: Topics,
    evaluate: Callable[[Task, World], Evaluation],
    table: Callable[[Evaluation], Iterable[str]],
) -> int:
    """
    Evaluate, print the table, and write the report; return the exit status.

    SIGTERM and Ctrl-C stop after the current frame; the report has all frames before that.

    :raises ConfigError: an invalid option, or a report is there already.
    :raises ImportError: a package needed for the report is missing.
    :raises CheckpointError: the weights are missing or do not match the model.
    :raises BagError: something could not be evaluated; the report has the rest.
    """
    # Here, so that --help works without the packages of the report.
    from flashdepth_ros.evaluation.report import write_report

    output: Path = arguments.output
    with Interruption() as interruption, process_group(_GATHER_TIMEOUT) as world:
        _prepare(output, arguments.overwrite, world)
        protocol, loaded = protocol_of(arguments), load(candidates)
        with _scratch_folder(output) as scratch:
            task = Task(
                candidates,
                topics,
                protocol,
                loaded,
                scratch,
                stop=lambda: interruption.requested,
                progress=world.is_main,
            )
            evaluation = evaluate(task, world)
        if not world.is_main:
            return 0
        if evaluation.frames:
            sys.stdout.writelines(f'{line}\n' for line in table(evaluation))
            write_report(evaluation, output)
            sys.stdout.write(f'\n{output / "report.html"}\n')
    return _status(evaluation)


@contextmanager
def _scratch_folder(output: Path) -> Iterator[Path]:
    try:
        folder = TemporaryDirectory(dir=output, prefix=_SCRATCH, ignore_cleanup_errors=True)
    except OSError as error:
        raise ConfigError(f'{output}: cannot create a folder inside: {error.strerror}') from error
    with folder as name:
        yield Path(name)


def _prepare(output: Path, overwrite: bool, world: World) -> None:
    """Create the output folder in the main process; the others wait."""
    if world.is_main:
        if (output / 'report.html').exists() and not overwrite:
            raise ConfigError(
                f'{output} already contains a report; set another --output, or use --overwrite'
            )
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f'{output}: cannot create the folder: {error.strerror}') from error
        # From a run that was killed.
        for stale in output.glob(f'{_SCRATCH}*'):
            shutil.rmtree(stale, ignore_errors=True)
    world.barrier()


def _status(evaluation: Evaluation) -> int:
    """Return 0 if everything was evaluated, else print the failures and raise an error."""
    if evaluation.interrupted:
        raise KeyboardInterrupt
    lines = lines_of(evaluation.problems)
    if not lines and evaluation.frames:
        return 0
    if not lines:
        raise BagError('nothing could be evaluated: no frame has a score')
    if len(lines) == 1:
        raise BagError(lines[0])
    sys.stderr.writelines(f'{line}\n' for line in lines)
    count = len(evaluation.problems)
    if not evaluation.frames:
        raise BagError(f'nothing could be evaluated: {count} failures, see above')
    raise BagError(f'{count} failures, see above and the report, which has the rest')
