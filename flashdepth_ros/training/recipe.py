"""A recipe: everything from no data to trained weights, by one command that can be resumed."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
import logging
from pathlib import Path
import shlex
import subprocess
import sys
from typing import NoReturn

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.interruption import children_without_interrupt
from flashdepth_ros.runtime.distributed import World
from flashdepth_ros.training import filming
from flashdepth_ros.training.config import TrainingConfig, check_config, read_config
from flashdepth_ros.training.mean import MeanConfig, check_files, check_mean, write_mean
from flashdepth_ros.training.parsing import Count, parse, read_yaml
from flashdepth_ros.training.run import train
from flashdepth_ros.training.run_folder import WEIGHTS
from flashdepth_ros.training.writing import make_folder

logger = logging.getLogger(__name__)

FILMING_LIMIT = timedelta(hours=24)
"""How long the processes of a run wait for the one that renders."""


@dataclass(frozen=True)
class Recipe:
    """Training data to render, and runs that follow one another."""

    stages: tuple[TrainingConfig, ...]
    """The runs, in this order; a later one may start from weights of an earlier one."""
    film: tuple[str, ...] = ()
    """Arguments of `flashdepth film`, one line for each folder of clips."""
    processes: Count = 2
    """Number of processes that render at the same time."""
    mean: MeanConfig = field(default_factory=MeanConfig)
    """Weights to average at the end, and where to write them."""

    @property
    def weights(self) -> list[Path]:
        """Return the files that the stages write."""
        return [Path(stage.output) / WEIGHTS for stage in self.stages]


def read_recipe(path: Path) -> Recipe:
    """
    Read a recipe, or a single run as a recipe of one stage, from a YAML file.

    :raises ConfigError: the file is missing or is not YAML, or a key or value is not valid.
    """
    content = read_yaml(path)
    if not isinstance(content, dict) or 'stages' not in content:
        return Recipe((read_config(path),))
    recipe = parse(Recipe, content, str(path))
    if not recipe.stages:
        raise ConfigError(f'{path}: stages: at least one expected')
    for number, stage in enumerate(recipe.stages):
        check_config(stage, f'{path}: stages[{number}]')
    _check_outputs(recipe, path)
    for number, line in enumerate(recipe.film):
        try:
            _parse(line)
        except ConfigError as error:
            raise ConfigError(f'{path}: film[{number}]: {error}') from error
    return recipe


def _check_outputs(recipe: Recipe, path: Path) -> None:
    outputs = [stage.output for stage in recipe.stages]
    for number, output in enumerate(outputs):
        if output in outputs[:number]:
            raise ConfigError(
                f'{path}: stages[{number}]: output {output} is that of stages'
                f'[{outputs.index(output)}]; give every stage a folder of its own'
            )
    if recipe.mean.of or recipe.mean.output:
        check_mean(recipe.mean, recipe.weights, f'{path}: mean')


def follow(recipe: Recipe, world: World) -> TrainingConfig | None:
    """
    Render and train by `recipe`; what is finished is not done again.

    :return: the stage that was interrupted; None if all are finished.
    :raises FlashDepthError: configuration, data or a checkpoint are not usable.
    """
    if world.is_main:
        check_files(recipe.mean, recipe.weights)
        for path in (*recipe.weights, Path(recipe.mean.output)):
            make_folder(path.parent)
        for line in recipe.film:
            _film(_parse(line), shlex.split(line), recipe.processes)
    world.barrier()
    for number, stage in enumerate(recipe.stages, start=1):
        if world.is_main and len(recipe.stages) > 1:
            logger.info('stage %d of %d: %s', number, len(recipe.stages), stage.output)
        if not train(stage, world):
            return stage
    if recipe.mean.of and world.is_main:
        write_mean(recipe.mean)
    return None


def _parse(line: str) -> argparse.Namespace:
    """
    Parse arguments of `flashdepth film`.

    :raises ConfigError: they are not valid.
    """
    parser = _Parser(prog='flashdepth film')
    filming.add_arguments(parser)
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise ConfigError(f'{line!r} given: {error}; close every quote') from error
    arguments = parser.parse_args(words)
    filming.check_arguments(arguments)
    return arguments


class _Parser(argparse.ArgumentParser):
    """Raises errors: they are errors of a recipe, not of a command line."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f'{message}; see {self.prog} --help')


def _film(arguments: argparse.Namespace, words: Sequence[str], processes: int) -> None:
    """Render the seeds in several processes, each a part of them."""
    first, last = filming.parse_pair(arguments.seeds, ':')
    marker = arguments.folder / f'{first}-{last}.complete'
    line = shlex.join(words)
    if marker.exists():
        before = marker.read_text(encoding='utf-8')
        if before not in ('', line):
            logger.warning(
                '%s: finished, by earlier arguments (%s); nothing is rendered. To render by the '
                'present ones (%s), give another folder or move this one away',
                *(arguments.folder, before, line),
            )
        return
    logger.info('rendering %d clips into %s', last - first, arguments.folder)
    bounds = [first + (last - first) * part // processes for part in range(processes + 1)]
    command = [sys.executable, '-m', 'flashdepth_ros.cli', 'film', *words, '--seeds']
    with children_without_interrupt():
        children = [
            subprocess.Popen([*command, f'{start}:{end}'])
            for start, end in pairwise(bounds)
            if start < end
        ]
    try:
        failed = [child.wait() for child in children]
    except KeyboardInterrupt:
        for child in children:
            child.terminate()
        raise
    if any(failed):
        raise ConfigError(f'rendering into {arguments.folder} failed, see above')
    marker.write_text(line, encoding='utf-8')
