"""The command-line tool `flashdepth`: a table of commands; each is imported when it is called."""

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
import sys

from flashdepth_ros import __version__
from flashdepth_ros.errors import FlashDepthError
from flashdepth_ros.interruption import termination_as_interrupt


@dataclass(frozen=True)
class Command:
    """A command: its module has `add_arguments(parser)` and `run(arguments) -> int`."""

    module: str
    summary: str
    modes: Mapping[str, str] = field(default_factory=dict)
    """Options that select another module, with the name of that module."""

    def module_for(self, arguments: Iterable[str]) -> str:
        """Return the module that implements the command for these arguments."""
        return next((self.modes[each] for each in arguments if each in self.modes), self.module)


COMMANDS = {
    'demo': Command('tools.demo.command', 'play a recording or video through the depth node'),
    'infer': Command('bags.inference.command', 'write the depth of a bag to a new bag'),
    'play': Command('tools.player', 'publish a bag on ROS topics with its original timing'),
    'evaluate': Command(
        'evaluation.command', 'compare models on bags with ground truth and write a report'
    ),
    'simulate': Command('tools.simulated_recording', 'record a simulated robot to a bag'),
    'camera': Command('tools.simulated_camera', 'publish a live simulated camera'),
    'film': Command('training.filming', 'render training clips in the simulator'),
    'train': Command('training.command', 'train a network'),
    'bench': Command(
        'runtime.benchmark',
        'time the network; --pipeline: the whole node; --infer: inference on bags',
        {'--pipeline': 'tools.benchmark.command', '--infer': 'bags.inference.benchmark'},
    ),
    'models': Command('runtime.models', 'list models, check and convert their weights'),
    'doctor': Command('tools.doctor', 'check that this computer has what the node needs'),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status: 1 after an error, reported in one line."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    name = next((word for word in arguments if not word.startswith('-')), '')
    commands = parser.add_subparsers(metavar='COMMAND', dest='command', required=True)
    for known, command in COMMANDS.items():
        sub = commands.add_parser(known, help=command.summary, description=command.summary)
        if known == name:
            for mode in command.modes:
                sub.add_argument(mode, action='store_true', help=f'see {name} {mode} --help')
            module = import_module(f'flashdepth_ros.{command.module_for(arguments)}')
            module.add_arguments(sub)
            run: Callable[[argparse.Namespace], int] = module.run
            sub.set_defaults(run=run)
    parsed = parser.parse_args(arguments)
    try:
        with termination_as_interrupt():
            return int(parsed.run(parsed))
    except FlashDepthError as error:
        print(f'flashdepth {name}: {error}', file=sys.stderr)
    except KeyboardInterrupt:
        print(f'flashdepth {name}: interrupted', file=sys.stderr)
        return 130
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='flashdepth',
        description='Temporally consistent metric depth from a single camera.',
    )
    parser.add_argument('--version', action='version', version=f'flashdepth_ros {__version__}')
    return parser


if __name__ == '__main__':
    sys.exit(main())
