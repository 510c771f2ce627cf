"""The command-line tool `flashdepth`: a table of commands, each imported when it is called."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
import sys

from flashdepth_ros import __version__
from flashdepth_ros.errors import FlashDepthError


@dataclass(frozen=True)
class Command:
    """A command: the module that offers `add_arguments(parser)` and `run(arguments) -> int`."""

    module: str
    text: str


COMMANDS = {
    'demo': Command('node.demo.command', 'play a recording or video through the real node'),
    'play': Command('node.player', 'publish a bag into the ROS graph, with its timing'),
    'simulate': Command('node.simulated_recording', 'write a bag of a simulated robot'),
    'camera': Command('node.simulated_camera', 'publish a live simulated camera'),
    'film': Command('training.filming', 'film clips of the simulator, for training'),
    'train': Command('training.command', 'train a network'),
    'bench': Command('runtime.benchmark', 'time the network by engine, precision and size'),
    'bench-node': Command('node.benchmark.command', 'time the whole node over ROS'),
    'models': Command('runtime.models', 'list the models, check and convert their weights'),
    'doctor': Command('node.doctor', 'check this machine: Python, torch, ROS, transport, weights'),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status, 1 with one line where something was amiss."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    name = next((word for word in arguments if not word.startswith('-')), '')
    commands = parser.add_subparsers(metavar='COMMAND', dest='command', required=True)
    for known, command in COMMANDS.items():
        sub = commands.add_parser(known, help=command.text, description=command.text)
        if known == name:
            module = import_module(f'flashdepth_ros.{command.module}')
            module.add_arguments(sub)
            run: Callable[[argparse.Namespace], int] = module.run
            sub.set_defaults(run=run)
    parsed = parser.parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except FlashDepthError as error:
        print(f'flashdepth {name}: {error}', file=sys.stderr)
    except KeyboardInterrupt:
        print(f'flashdepth {name}: interrupted', file=sys.stderr)
        return 130
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='flashdepth', description='Depth from one camera, steady over time.'
    )
    parser.add_argument('--version', action='version', version=f'flashdepth_ros {__version__}')
    return parser


if __name__ == '__main__':
    sys.exit(main())
