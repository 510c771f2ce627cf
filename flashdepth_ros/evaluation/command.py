"""The command `flashdepth evaluate`; with torchrun, `-m flashdepth_ros.cli evaluate`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
import shutil
import sys
from tempfile import TemporaryDirectory

from flashdepth_ros.errors import BagError, ConfigError
from flashdepth_ros.evaluation.bag import Task
from flashdepth_ros.evaluation.candidates import ModelCandidate
from flashdepth_ros.evaluation.evaluation import Evaluation, evaluate
from flashdepth_ros.evaluation.options import add_options, candidates_of, protocol_of, topics_of
from flashdepth_ros.interruption import Interruption
from flashdepth_ros.runtime.distributed import World, process_group

#: How long finished processes wait for the results of the others.
_GATHER_TIMEOUT = timedelta(days=7)
_SCRATCH = '.scratch-'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `run` reads."""
    add_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """
    Evaluate, and write the report.

    SIGTERM and Ctrl-C stop after the current frame; the report has all frames before that.

    :raises ConfigError: an invalid option, or a package needed for the report is missing.
    :raises CheckpointError: the weights are missing or do not match the model.
    :raises BagError: a bag could not be evaluated completely; the report has the rest.
    """
    try:
        from flashdepth_ros.evaluation.report import write_report
    except ImportError as error:
        raise ConfigError(
            f"the package {error.name!r} is missing; run: pip install 'flashdepth_ros[evaluation]'"
        ) from error

    output: Path = arguments.output
    with Interruption() as interruption, process_group(_GATHER_TIMEOUT) as world:
        _prepare(output, arguments.overwrite, world)
        evaluation = _evaluate(arguments, world, interruption)
        if not world.is_main:
            return 0
        if evaluation.frames:
            write_report(evaluation, output)
            sys.stdout.writelines(f'{line}\n' for line in _lines(evaluation, output))
    return _status(evaluation)


def _evaluate(
    arguments: argparse.Namespace, world: World, interruption: Interruption
) -> Evaluation:
    candidates = candidates_of(arguments)
    topics, protocol = topics_of(arguments), protocol_of(arguments)
    models = [each for each in candidates if isinstance(each, ModelCandidate)]
    estimators = {each.label: each.estimator() for each in models}
    with TemporaryDirectory(dir=arguments.output, prefix=_SCRATCH) as scratch:
        task = Task(
            candidates,
            topics,
            protocol,
            estimators,
            Path(scratch),
            stop=lambda: interruption.requested,
            progress=world.is_main,
        )
        return evaluate(arguments.bags, task, world)


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
    """Return 0 if everything was evaluated, else raise the first failure."""
    if evaluation.interrupted:
        raise KeyboardInterrupt
    failures = evaluation.failures
    if failures:
        others = f' (and {len(failures) - 1} more, see the report)' if len(failures) > 1 else ''
        raise BagError(f'{failures[0]}{others}')
    return 0


def _lines(evaluation: Evaluation, output: Path) -> Iterator[str]:
    alignment = evaluation.protocol.alignment
    width = max(len(label) for label in evaluation.labels)
    yield f'{alignment:<{width}}  AbsRel     δ1     F1  flicker    drift     fps'
    for summary in evaluation.summaries:
        scores = summary.scores[alignment]
        yield (
            f'{summary.label:<{width}}  {scores["abs_rel"]:6.3f} {scores["delta1"]:6.3f} '
            f'{scores["boundary_f1"]:6.3f} {scores["flicker"]:8.2%} '
            f'{summary.scale_drift:8.2%} {summary.fps:7.2f}'
        )
    yield f'\n{output / "report.html"}'
