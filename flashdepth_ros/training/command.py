"""The command `flashdepth train CONFIG`; with torchrun `-m flashdepth_ros.training CONFIG`."""

import argparse
import logging
from pathlib import Path

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        'config',
        type=Path,
        help='YAML file: model, data and settings of a run, or a recipe with stages',
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, resuming from the run's checkpoint; return 0 also if interrupted and saved."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    logger.info('training by %s: loading PyTorch', arguments.config)
    # Here, because these imports take long.
    from flashdepth_ros.runtime.distributed import process_group
    from flashdepth_ros.runtime.memory import keep_freed_memory
    from flashdepth_ros.training.recipe import FILMING_LIMIT, follow, read_recipe

    recipe = read_recipe(arguments.config)
    keep_freed_memory()
    # The other processes wait while the main one renders.
    with process_group(FILMING_LIMIT if recipe.film else None) as world:
        stage = follow(recipe, world)
        if world.is_main and stage:
            logger.info(
                'interrupted, checkpoint saved in %s; run the same command to resume',
                stage.output,
            )
    return 0
