"""The command `flashdepth evaluate`; under torchrun, `-m flashdepth_ros.cli evaluate`."""

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
from flashdepth_ros.runtime.distributed import World, joined

#: One process may be busy with its bags for as long as this while the others have finished.
_PATIENCE = timedelta(days=7)
_SCRATCH = '.scratch-'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    add_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """
    Judge, and write the report.

    SIGTERM and Ctrl-C end the frame at hand, and what is done until then is reported.

    :raises ConfigError: an option that makes no sense, or what draws the report is missing.
    :raises CheckpointError: weights that are missing or do not fit.
    :raises BagError: a bag could not be judged to its end; what was done is in the report.
    """
    try:
        from flashdepth_ros.evaluation.report import write_report
    except ImportError as error:
        raise ConfigError(
            f"{error.name} is missing; pip install 'flashdepth_ros[evaluation]'"
        ) from error

    output: Path = arguments.output
    with Interruption() as interruption, joined(_PATIENCE) as world:
        _prepare(output, arguments.overwrite, world)
        evaluation = _evaluated(arguments, world, interruption)
        if not world.leads:
            return 0
        if evaluation.frames:
            write_report(evaluation, output)
            sys.stdout.writelines(f'{line}\n' for line in _lines(evaluation, output))
    return _status(evaluation)


def _evaluated(
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
            progress=world.leads,
        )
        return evaluate(arguments.bags, task, world)


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
    """Return 0 if all was done, else raise what was not."""
    if evaluation.interrupted:
        raise KeyboardInterrupt
    failures = evaluation.failures
    if failures:
        more = f' (and {len(failures) - 1} more, see the report)' if len(failures) > 1 else ''
        raise BagError(f'{failures[0]}{more}')
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
