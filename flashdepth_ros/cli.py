"""
The command-line tool `flashdepth`: a table of commands; each is imported when it is called.

Modules that take long to import are imported in functions, when Ctrl-C is handled already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
import sys
from typing import TYPE_CHECKING, NamedTuple

from flashdepth_ros import __version__
from flashdepth_ros.entry_point import run_process, run_reporting
from flashdepth_ros.interruption import termination_as_interrupt

if TYPE_CHECKING:
    import argparse


class Command(NamedTuple):
    """A command: its module has `add_arguments(parser)` and `run(arguments) -> int`."""

    module: str
    summary: str
    modes: Mapping[str, str] = {}
    """Options that select another module, with the name of that module."""

    def module_for(self, arguments: Iterable[str]) -> str:
        """Return the module that implements the command for these arguments."""
        return next((self.modes[each] for each in arguments if each in self.modes), self.module)


COMMANDS = {
    'demo': Command('tools.demo.command', 'play a recording or video through the depth node'),
    'infer': Command('bags.inference.command', 'write the depth of a bag to a new bag'),
    'calibrate': Command(
        'bags.inference.calibration', 'fit depth.scale to a recording with known depth'
    ),
    'topics': Command('bags.topics', 'list the topics of a bag and those the node needs'),
    'play': Command(
        'tools.player.command', 'publish a bag on ROS topics with its original timing'
    ),
    'evaluate': Command(
        'evaluation.command', 'compare models on bags with ground truth and write a report'
    ),
    'evaluate-frames': Command(
        'evaluation.stills.command',
        'compare models on still images with true depth and write a report',
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
    'gpu-check': Command(
        'runtime.gpu_check.command', "check correctness and speed on this computer's GPU"
    ),
    'models': Command('runtime.models', 'list models, check and convert their weights'),
    'export': Command(
        'runtime.export', 'write a network to an ONNX file, for ONNX Runtime and TensorRT'
    ),
    'doctor': Command('tools.doctor.command', 'check that this computer has what the node needs'),
}


def main(arguments: list[str] | None = None) -> int:
    """
    Run one command; return the exit status: 1 after an error, reported in one line.

    :param arguments: those of a command; None: those of this process.
    """
    run = run_process if arguments is None else run_reporting
    words = sys.argv[1:] if arguments is None else arguments
    name = next((word for word in words if not word.startswith('-')), '')
    return run(f'flashdepth {name}'.strip(), lambda: _run(name, words))


def _run(name: str, words: list[str]) -> int:
    parser = _parser(name, words)
    arguments = parser.parse_args(words)
    run: Callable[[argparse.Namespace], int] = arguments.run
    with termination_as_interrupt():
        return run(arguments)


def _parser(name: str, words: list[str]) -> argparse.ArgumentParser:
    """Return the parser of all commands; only the named one is imported and has its options."""
    import argparse

    parser = argparse.ArgumentParser(
        prog='flashdepth',
        description='Temporally consistent metric depth from a single camera.',
    )
    parser.add_argument('--version', action='version', version=f'flashdepth_ros {__version__}')
    commands = parser.add_subparsers(metavar='COMMAND', dest='command', required=True)
    for known, command in COMMANDS.items():
        sub = commands.add_parser(known, help=command.summary, description=command.summary)
        if known == name:
            for mode in command.modes:
                sub.add_argument(mode, action='store_true', help=f'see {name} {mode} --help')
            module = import_module(f'flashdepth_ros.{command.module_for(words)}')
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return parser


if __name__ == '__main__':
    sys.exit(main())
