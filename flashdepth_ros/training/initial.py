"""The model a run begins with: from scratch, or from weights trained before."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network import FlashDepth, names
from flashdepth_ros.network.checkpoint import read_weights
from flashdepth_ros.network.config import preset
from flashdepth_ros.network.flashdepth import OUTPUT_PER_INVERSE_METRE
from flashdepth_ros.training.config import InitialConfig, TrainingConfig

_CONTEXT = 'context.'
_NEW = ('temporal.', 'fusion.')
"""Parts that weights to begin with need not have: they start without effect."""


def initial_model(config: TrainingConfig) -> FlashDepth:
    """
    Build the model of a run with the weights it begins with; the same for the same seed.

    :raises CheckpointError: weights that cannot be read, or do not have what the model needs.
    """
    architecture = preset(config.model)
    if not config.temporal:
        architecture = replace(architecture, temporal=None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = FlashDepth(architecture)
    _start_output(model, config.initial)
    if config.initial.student:
        _fill(model, config.initial.student, '')
    if config.initial.context:
        _fill(model, config.initial.context, _CONTEXT)
    return model


def _start_output(model: FlashDepth, initial: InitialConfig) -> None:
    """
    Let the last layer say about a typical depth.

    Left at its usual start it would say 0 for half of all inputs, where its ReLU learns nothing.
    """
    assert model.decoder.head is not None
    last = model.decoder.head.conv3
    assert last.bias is not None
    with torch.no_grad():
        last.bias.fill_(OUTPUT_PER_INVERSE_METRE / initial.typical_depth_m)


def _fill(model: FlashDepth, weights: str, prefix: str) -> None:
    """Fill the entries whose names begin with `prefix`, the student's where that is empty."""
    source = _ours(read_weights(weights))
    wanted = {
        name: entry
        for name, entry in model.state_dict().items()
        if (name.startswith(prefix) if prefix else not name.startswith(_CONTEXT))
    }
    found = {}
    for name, entry in wanted.items():
        given = source.get(name.removeprefix(prefix))
        if given is None and name.startswith(_NEW):
            continue
        if given is None or given.shape != entry.shape:
            shape = None if given is None else tuple(given.shape)
            raise CheckpointError(
                f'{weights} does not fit {model.config.name}: {name} of shape '
                f'{tuple(entry.shape)} needed, {shape} found'
            )
        found[name] = given
    model.load_state_dict(found, strict=False)


def _ours(entries: Mapping[str, Tensor]) -> dict[str, Tensor]:
    named = {names.ours(name): entry for name, entry in entries.items()}
    return {name: entry for name, entry in named.items() if name is not None}
