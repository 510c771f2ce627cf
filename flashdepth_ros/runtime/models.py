"""`flashdepth models`: list the models; fetch, verify, check and convert their weights."""

import argparse
from collections.abc import Iterator
from pathlib import Path
import sys

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.runtime.engines import EngineChoice
from flashdepth_ros.runtime.engines.exported_model import is_exported, read_exported
from flashdepth_ros.runtime.engines.loading import check_suffix, load_exported

_DTYPES = ('fp32', 'fp16')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `run`."""
    actions = parser.add_subparsers(metavar='ACTION', dest='action', required=True)
    actions.add_parser(
        'list', help='list all models: size, purpose, path and license of the weights'
    )
    get = actions.add_parser(
        'fetch', help='download the official weights of models and make them ready for use'
    )
    get.add_argument('names', nargs='+', metavar='NAME', help='see `flashdepth models list`')
    get.add_argument(
        '--accept-license', action='store_true', help='accept a license without commercial use'
    )
    get.add_argument('--overwrite', action='store_true', help='replace existing weights')
    get.add_argument('--dtype', choices=_DTYPES, default='fp16', help='(default fp16)')
    test = actions.add_parser('verify', help='check that weights load and are finite')
    test.add_argument('names', nargs='*', metavar='NAME', help='(default: all that are there)')
    check = actions.add_parser(
        'check', help='print which model a file of weights fits, or is an export of'
    )
    check.add_argument('file', type=Path, help='.pth, .safetensors or exported .onnx')
    change = actions.add_parser(
        'convert', help='write the weights without optimizer state, as .safetensors'
    )
    change.add_argument('source', type=Path, metavar='IN', help='.pth or .safetensors')
    change.add_argument('destination', type=Path, metavar='OUT', help='.safetensors')
    change.add_argument(
        '--model', default='', help='preset of the weights, where several have the same entries'
    )
    change.add_argument('--overwrite', action='store_true', help='replace an existing file')
    change.add_argument('--dtype', choices=_DTYPES, default='fp16', help='(default fp16)')


def run(arguments: argparse.Namespace) -> int:
    """
    List, fetch, verify, check or convert.

    :raises CheckpointError: a file cannot be read or fits no model.
    :raises DownloadError: weights cannot be fetched.
    """
    for line in _lines(arguments):
        sys.stdout.write(line + '\n')
    return 0


def _lines(arguments: argparse.Namespace) -> Iterator[str]:
    if arguments.action == 'check':
        check_suffix(arguments.file)
        if is_exported(arguments.file):
            return _check_exported(arguments.file)
    # Here, because exported models are checked without PyTorch.
    from flashdepth_ros.runtime.weight_actions import ACTIONS

    return ACTIONS[arguments.action](arguments)


def _check_exported(path: Path) -> Iterator[str]:
    """Yield what an exported model is, after it was loaded if a package for that is installed."""
    exported = read_exported(path)
    try:
        engine = load_exported(exported, EngineChoice('cpu', 'auto', 'auto'))
        loaded = f'loads with {engine.name}'
    except ConfigError as error:
        loaded = f'not loaded: {error}'
    height, width = exported.size
    yield f'{path} is {exported.config.name}, exported for frames of {width}x{height}; {loaded}'
    for key, value in exported.notes.items():
        yield f'{key}: {value}'
