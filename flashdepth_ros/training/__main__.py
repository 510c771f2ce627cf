"""Entry point for torchrun: `torchrun ... -m flashdepth_ros.training CONFIG`."""

import argparse
import sys

from flashdepth_ros.entry_point import run_process
from flashdepth_ros.interruption import termination_as_interrupt
from flashdepth_ros.training.command import add_arguments, run


def main() -> int:
    """Train with the arguments of this process."""
    parser = argparse.ArgumentParser(prog='flashdepth_ros.training')
    add_arguments(parser)
    with termination_as_interrupt():
        return run(parser.parse_args())


if __name__ == '__main__':
    sys.exit(run_process('flashdepth_ros.training', main))
