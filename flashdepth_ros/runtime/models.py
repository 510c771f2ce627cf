"""`flashdepth models`: which models there are, their weights on this machine, conversion."""

import argparse
from collections.abc import Iterator
from pathlib import Path
import sys

import torch

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network import PRESETS, FlashDepth, ModelConfig
from flashdepth_ros.network.checkpoint import convert, fitting_preset, metadata, read_weights
from flashdepth_ros.runtime.weights import SOURCES, find_weights

_DTYPES = {'fp32': torch.float32, 'fp16': torch.float16}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    actions = parser.add_subparsers(metavar='ACTION', dest='action', required=True)
    actions.add_parser('list', help='every model, its size, its weights here, their license')
    check = actions.add_parser('check', help='tell which model a file of weights fits')
    check.add_argument('file', type=Path, help='.pth or .safetensors')
    change = actions.add_parser('convert', help='keep the weights alone, as .safetensors')
    change.add_argument('source', type=Path, metavar='IN', help='.pth or .safetensors')
    change.add_argument('destination', type=Path, metavar='OUT', help='.safetensors')
    change.add_argument('--dtype', choices=tuple(_DTYPES), default='fp16', help='default fp16')


def run(arguments: argparse.Namespace) -> int:
    """
    List, check or convert.

    :raises CheckpointError: a file cannot be read, or fits no model.
    """
    lines = {'list': _listed, 'check': _checked, 'convert': _converted}[arguments.action]
    for line in lines(arguments):
        sys.stdout.write(line + '\n')
    return 0


def _listed(_: argparse.Namespace) -> Iterator[str]:
    for config in PRESETS.values():
        yield f'{config.name:22} {_parameters(config):6.1f} M parameters, weights {_found(config)}'


def _found(config: ModelConfig) -> str:
    """Say where a model's weights lie, or where they can be had."""
    try:
        return f'{find_weights(config)} ({config.weights_license})'
    except CheckpointError:
        source = SOURCES.get(config.name, 'to be trained')
        return f'not here: {source} ({config.weights_license})'


def _parameters(config: ModelConfig) -> float:
    with torch.device('meta'):
        return sum(entry.numel() for entry in FlashDepth(config).parameters()) / 1e6


def _checked(arguments: argparse.Namespace) -> Iterator[str]:
    entries = read_weights(arguments.file)
    config = fitting_preset(entries)
    if config is None:
        raise CheckpointError(f'{arguments.file} fits no model; one of {", ".join(PRESETS)}')
    yield f'{arguments.file} fits {config.name}, {len(entries)} entries'
    for key, value in metadata(arguments.file).items():
        yield f'{key}: {value}'


def _converted(arguments: argparse.Namespace) -> Iterator[str]:
    notes = convert(arguments.source, arguments.destination, _DTYPES[arguments.dtype])
    before, after = (p.stat().st_size / 1e6 for p in (arguments.source, arguments.destination))
    yield f'{arguments.destination}: {after:.1f} MB in {arguments.dtype}, from {before:.1f} MB'
    for key, value in notes.items():
        yield f'{key}: {value}'
