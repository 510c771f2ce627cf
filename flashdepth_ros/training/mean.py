"""The mean of the weights of several runs (arXiv 2203.05482)."""

from dataclasses import dataclass
import logging
from pathlib import Path

import torch

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network.checkpoint import metadata, read_weights, save_weights

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MeanConfig:
    """Weights that are averaged when all stages are finished."""

    of: tuple[str, ...] = ()
    """Files of one model, `.safetensors`; none: there is no mean."""
    output: str = ''
    """The file to write."""


def write_mean(config: MeanConfig) -> None:
    """
    Write the mean of weights, in half precision; notes are those of the last file.

    :raises CheckpointError: a file cannot be read or written, or the models differ.
    """
    weights = [read_weights(Path(each)) for each in config.of]
    shapes = [{name: entry.shape for name, entry in each.items()} for each in weights]
    for path, each in zip(config.of, shapes, strict=True):
        if each != shapes[0]:
            raise CheckpointError(f'{path}: not of the same model as {config.of[0]}')
    mean = {
        name: torch.stack([each[name].float() for each in weights]).mean(0) for name in shapes[0]
    }
    notes = metadata(Path(config.of[-1]))
    origin = f'mean of the weights of {len(weights)} runs'
    notes['origin'] = '; '.join(filter(None, (notes.get('origin'), origin)))
    save_weights(mean, Path(config.output), torch.float16, notes)
    logger.info('mean of the weights of %d runs: %s', len(weights), config.output)
