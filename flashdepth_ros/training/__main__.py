"""Entry point for torchrun: `torchrun ... -m flashdepth_ros.training CONFIG`."""

import argparse
import sys

from flashdepth_ros.errors import FlashDepthError
from flashdepth_ros.training.command import add_arguments, run

if __name__ == '__main__':
    parser = argparse.ArgumentParser(prog='flashdepth_ros.training')
    add_arguments(parser)
    try:
        sys.exit(run(parser.parse_args()))
    except FlashDepthError as error:
        sys.exit(f'error: {error}')
