"""The command `flashdepth train CONFIG`; with torchrun `-m flashdepth_ros.training CONFIG`."""

import argparse
import logging
from pathlib import Path

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument('config', type=Path, help='YAML file: model, data and settings')


def run(arguments: argparse.Namespace) -> int:
    """Train, resuming from the run's checkpoint; return 0 also if interrupted and saved."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    logger.info('training by %s: loading PyTorch', arguments.config)
    # Here, because these imports take long.
    from flashdepth_ros.runtime.distributed import process_group
    from flashdepth_ros.runtime.memory import keep_freed_memory
    from flashdepth_ros.training.config import read_config
    from flashdepth_ros.training.run import train

    config = read_config(arguments.config)
    keep_freed_memory()
    with process_group() as world:
        finished = train(config, world)
        if world.is_main and not finished:
            logger.info(
                'interrupted, checkpoint saved in %s; run the same command to resume',
                config.output,
            )
    return 0
