"""The mean of the weights of several runs (arXiv 2203.05482)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import logging
from pathlib import Path

import torch
from torch import Tensor

from flashdepth_ros.errors import CheckpointError, ConfigError
from flashdepth_ros.network.checkpoint import metadata, read_weights, save_weights

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MeanConfig:
    """Weights that are averaged when all stages are finished."""

    of: tuple[str, ...] = ()
    """Files of one model, `.safetensors`; none: there is no mean."""
    output: str = ''
    """The file to write."""


def check_mean(config: MeanConfig, trained: Sequence[Path], where: str) -> None:
    """
    Check the names of the files.

    :param trained: the files that the training will write.
    :param where: the name of the mean in error messages.
    :raises ConfigError: a name is missing, is not one for weights, or would be overwritten.
    """
    if not config.of or not config.output:
        raise ConfigError(f'{where}: of and output expected, both or none')
    *of, output = map(Path, (*config.of, config.output))
    for path in (*of, output):
        if path.suffix != '.safetensors':
            raise ConfigError(f'{where}: {path}: a name that ends in .safetensors expected')
    if output in (*trained, *of):
        raise ConfigError(f'{where}: output: {output} would be overwritten; give another name')


def check_files(config: MeanConfig, trained: Sequence[Path]) -> None:
    """
    Check that the files exist, or will be written.

    :raises ConfigError: one does not, and will not be.
    """
    for path in map(Path, config.of):
        if path not in trained and not path.is_file():
            raise ConfigError(f'mean: of: {path}: no such file, nor the weights of a stage')


def write_mean(config: MeanConfig) -> None:
    """
    Write the mean of weights, in half precision; notes are those of the last file.

    :raises CheckpointError: a file cannot be read or written, or the models or licenses differ.
    """
    paths = [Path(each) for each in config.of]
    weights = [read_weights(path) for path in paths]
    kinds = [_kind(path, each) for path, each in zip(paths, weights, strict=True)]
    for path, kind in zip(paths, kinds, strict=True):
        if kind != kinds[0]:
            raise CheckpointError(
                f'{path}: not of the same model and license as {paths[0]}, no mean is written'
            )
    mean = {
        name: torch.stack([each[name].float() for each in weights]).mean(0) for name in weights[0]
    }
    notes = metadata(paths[-1])
    origin = f'mean of the weights of {len(weights)} runs'
    notes['origin'] = '; '.join(filter(None, (notes.get('origin'), origin)))
    save_weights(mean, Path(config.output), torch.float16, notes)
    logger.info('mean of the weights of %d runs: %s', len(weights), config.output)


def _kind(path: Path, weights: Mapping[str, Tensor]) -> tuple[object, ...]:
    """Return what weights must have in common."""
    notes, shapes = metadata(path), {name: entry.shape for name, entry in weights.items()}
    return notes.get('preset'), notes.get('license'), shapes
