"""The command `flashdepth train CONFIG`; under torchrun, `-m flashdepth_ros.training CONFIG`."""

import argparse
import logging
from pathlib import Path

from flashdepth_ros.training.config import read_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument('config', type=Path, help='what to train, on what, and how (YAML)')


def run(arguments: argparse.Namespace) -> int:
    """Train, going on from an earlier run's checkpoint; 0 also if interrupted and saved."""
    from flashdepth_ros.runtime.distributed import joined
    from flashdepth_ros.runtime.memory import keep_freed_memory
    from flashdepth_ros.training.run import train

    logging.basicConfig(level=logging.INFO, format='%(message)s')
    config = read_config(arguments.config)
    keep_freed_memory()
    with joined() as world:
        finished = train(config, world)
        if world.leads and not finished:
            logging.getLogger(__name__).info(
                'interrupted and saved in %s; the same command goes on', config.output
            )
    return 0
