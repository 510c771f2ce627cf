"""The actions of `flashdepth models` on weights; they need PyTorch, unlike exported models."""

import argparse
from collections.abc import Callable, Iterator, Mapping
import sys

from flashdepth_ros.errors import CheckpointError, ConfigError
from flashdepth_ros.network import PRESETS, ModelConfig
from flashdepth_ros.network.checkpoint import convert, fitting_presets, metadata, read_weights
from flashdepth_ros.network.lookalikes import choose_by_name
from flashdepth_ros.network.presets import preset
from flashdepth_ros.runtime.engines.exported_model import SUFFIX
from flashdepth_ros.runtime.engines.torch_engine import DTYPES
from flashdepth_ros.runtime.fetch import check_names, count_parameters, fetch, verify
from flashdepth_ros.runtime.weights import (
    SOURCES,
    WEIGHT_SUFFIXES,
    file_sha256,
    find_weights,
    present_weights,
)


def _list_models(_: argparse.Namespace) -> Iterator[str]:
    for config in PRESETS.values():
        millions = count_parameters(config) / 1e6
        yield f'{config.name:34} {millions:6.1f} M parameters, weights {_describe_weights(config)}'
        if config.purpose:
            yield f'    {config.purpose}'


def _describe_weights(config: ModelConfig) -> str:
    """Return the path of the weights, or how to get them, and their license."""
    if (path := present_weights(config)) is not None:
        return f'{path} ({config.weights_license})'
    instruction = f'models fetch {config.name}' if config.name in SOURCES else 'train'
    return f'not found, `flashdepth {instruction}` ({config.weights_license})'


def _fetch_weights(arguments: argparse.Namespace) -> Iterator[str]:
    dtype = DTYPES[arguments.dtype]
    for config in check_names(arguments.names, arguments.accept_license):
        path = fetch(config, dtype, _say, arguments.overwrite)
        yield f'{path}: {path.stat().st_size / 1e6:.0f} MB'


def _verify_weights(arguments: argparse.Namespace) -> Iterator[str]:
    names = arguments.names or [
        config.name for config in PRESETS.values() if present_weights(config)
    ]
    for name in names:
        if name.endswith((*WEIGHT_SUFFIXES, SUFFIX)):
            raise ConfigError(f'{name} is a file; use `flashdepth models check {name}`')
        config = preset(name)
        path = find_weights(config)
        verify(path, config)
        yield f'{name}: {path} loads, sha256 {file_sha256(path)}'
    if not names:
        yield 'no weights are there'


def _say(text: str) -> None:
    sys.stderr.write(f'{text}\n')


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
    if arguments.destination.exists() and not arguments.overwrite:
        raise CheckpointError(
            f'{arguments.destination}: already exists; give another name, or use --overwrite'
        )
    dtype = DTYPES[arguments.dtype]
    notes = convert(arguments.source, arguments.destination, dtype, arguments.model)
    before, after = (p.stat().st_size / 1e6 for p in (arguments.source, arguments.destination))
    yield f'{arguments.destination}: {after:.1f} MB in {arguments.dtype}, from {before:.1f} MB'
    for key, value in notes.items():
        yield f'{key}: {value}'


ACTIONS: Mapping[str, Callable[[argparse.Namespace], Iterator[str]]] = {
    'list': _list_models,
    'fetch': _fetch_weights,
    'verify': _verify_weights,
    'check': _check_weights,
    'convert': _convert_weights,
}
"""Yields the lines of output of each action."""
