"""`flashdepth models`: list the models and their weights, check and convert weights."""

import argparse
from collections.abc import Iterator
from pathlib import Path
import sys

import torch

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network import PRESETS, ModelConfig, build_model
from flashdepth_ros.network.checkpoint import convert, fitting_presets, metadata, read_weights
from flashdepth_ros.network.lookalikes import choose_by_name
from flashdepth_ros.runtime.weights import SOURCES, find_weights

_DTYPES = {'fp32': torch.float32, 'fp16': torch.float16}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `run`."""
    actions = parser.add_subparsers(metavar='ACTION', dest='action', required=True)
    actions.add_parser(
        'list', help='list all models: size, purpose, path and license of the weights'
    )
    check = actions.add_parser('check', help='print which model a weights file fits')
    check.add_argument('file', type=Path, help='.pth or .safetensors')
    change = actions.add_parser(
        'convert', help='write the weights without optimizer state, as .safetensors'
    )
    change.add_argument('source', type=Path, metavar='IN', help='.pth or .safetensors')
    change.add_argument('destination', type=Path, metavar='OUT', help='.safetensors')
    change.add_argument(
        '--model', default='', help='preset of the weights, where several have the same entries'
    )
    change.add_argument('--dtype', choices=tuple(_DTYPES), default='fp16', help='(default fp16)')


def run(arguments: argparse.Namespace) -> int:
    """
    List, check or convert.

    :raises CheckpointError: a file cannot be read or fits no model.
    """
    lines = {'list': _list_models, 'check': _check_weights, 'convert': _convert_weights}
    for line in lines[arguments.action](arguments):
        sys.stdout.write(line + '\n')
    return 0


def _list_models(_: argparse.Namespace) -> Iterator[str]:
    for config in PRESETS.values():
        millions = _count_parameters(config) / 1e6
        yield f'{config.name:34} {millions:6.1f} M parameters, weights {_describe_weights(config)}'
        if config.purpose:
            yield f'    {config.purpose}'


def _describe_weights(config: ModelConfig) -> str:
    """Return the path of the weights, or how to get them, and their license."""
    try:
        return f'{find_weights(config)} ({config.weights_license})'
    except CheckpointError:
        source = SOURCES.get(config.name)
        instruction = f'download from {source}' if source else 'train with `flashdepth train`'
        return f'not found; {instruction} ({config.weights_license})'


def _count_parameters(config: ModelConfig) -> int:
    with torch.device('meta'):
        return sum(entry.numel() for entry in build_model(config).parameters())


def _check_weights(arguments: argparse.Namespace) -> Iterator[str]:
    entries = read_weights(arguments.file)
    presets, notes = fitting_presets(entries), metadata(arguments.file)
    if not presets:
        raise CheckpointError(
            f'{arguments.file} fits no model; expected weights of one of {", ".join(PRESETS)}'
        )
    fitting = ' and '.join(config.name for config in presets)
    yield f'{arguments.file} fits {fitting}, {len(entries)} entries'
    if len(presets) > 1:
        yield 'relative and metric weights have the same entries, which do not tell them apart'
        named = choose_by_name(presets, arguments.file, notes)
        if len(named) < len(presets):
            source = 'metadata' if 'preset' in notes else 'name'
            which = ' or '.join(config.name for config in named) or 'none of these'
            yield f'by its {source} it is {which}'
    for key, value in notes.items():
        yield f'{key}: {value}'


def _convert_weights(arguments: argparse.Namespace) -> Iterator[str]:
    dtype = _DTYPES[arguments.dtype]
    notes = convert(arguments.source, arguments.destination, dtype, arguments.model)
    before, after = (p.stat().st_size / 1e6 for p in (arguments.source, arguments.destination))
    yield f'{arguments.destination}: {after:.1f} MB in {arguments.dtype}, from {before:.1f} MB'
    for key, value in notes.items():
        yield f'{key}: {value}'
