"""The model a run begins with: from scratch, or from weights trained before."""

from collections.abc import Mapping
from dataclasses import replace
import math

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network import FlashDepth, names
from flashdepth_ros.network.checkpoint import read_weights
from flashdepth_ros.network.config import PATCH, preset
from flashdepth_ros.network.decoder import Unit
from flashdepth_ros.network.flashdepth import OUTPUT_PER_INVERSE_METRE
from flashdepth_ros.network.mamba2 import Mixer, inverse_softplus
from flashdepth_ros.training.config import InitialConfig, TrainingConfig

MEMORY_TOKENS = 4.0, 5000.0
"""After so many tokens the first head of a recurrence starts to forget, and the last."""
_CONTEXT = 'context.'
_FUSION = 'fusion.'
_NEW = ('temporal.', _FUSION)
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
        _start(model, config.initial)
    if config.initial.student:
        left_out = (_CONTEXT, _FUSION) if config.initial.new_fusion else (_CONTEXT,)
        _fill(model, config.initial.student, left_out=left_out)
    if config.initial.context:
        _fill(model, config.initial.context, prefix=_CONTEXT)
    for mixer in (module for module in model.modules() if isinstance(module, Mixer)):
        if config.initial.new_memory:
            _start_memory(mixer)
        if config.initial.longest_memory:
            _limit_memory(mixer, config.initial.longest_memory)
    return model


def _start(model: FlashDepth, initial: InitialConfig) -> None:
    """
    Scale every layer so that signals neither fade nor grow, whatever the model's width.

    The network's usual start suits wide encoders that come trained; left to it, what a small one
    says first varies by thousandths of what depth does, and most steps go into growing it.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and 'encoder.' in name:
            nn.init.xavier_uniform_(module.weight)
        elif isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and 'decoder.' in name:
            rectified = 'unit' in name or 'head' in name
            inputs = module.in_channels
            if isinstance(module, nn.Conv2d):
                inputs *= math.prod(module.kernel_size)
            nn.init.normal_(module.weight, std=math.sqrt((2.0 if rectified else 1.0) / inputs))
    for unit in (module for module in model.modules() if isinstance(module, Unit)):
        nn.init.zeros_(unit.conv2.weight)
    _start_output(model, initial)


def _start_memory(mixer: Mixer) -> None:
    """
    Let each head begin as a running mean, over a few tokens to those of a hundred frames.

    The usual start forgets sooner, and reads with random signs what it has written: the last
    frames then say nothing to a step of training, and it learns to do without them.
    """
    shortest, longest = (math.log10(each) for each in MEMORY_TOKENS)
    memory = torch.logspace(shortest, longest, mixer.heads)
    state_dim = mixer.state_shape[-1]
    with torch.no_grad():
        mixer.dt_bias.copy_(inverse_softplus(1.0 / (memory * mixer.A_log.exp())))
        assert mixer.conv.bias is not None
        for projection in mixer.conv.bias[mixer.inner :].split(state_dim):
            projection[: state_dim // 4] += 1.0


def _limit_memory(mixer: Mixer, tokens: float) -> None:
    """
    Let no head remember for longer, its steps as they are.

    A head whose memory outlasts the clips it learned from gathers more in a stream than it ever
    saw; so limited, it never gathers more than in a clip of that length.
    """
    with torch.no_grad():
        step = F.softplus(mixer.dt_bias)
        mixer.A_log.copy_(torch.maximum(mixer.A_log, -(tokens * step).log()))


def _start_output(model: FlashDepth, initial: InitialConfig) -> None:
    """
    Let the last layer say about a typical depth, and vary with its input by half of that.

    Left at its usual start it would say 0 for half of all inputs, where its ReLU learns nothing.
    """
    assert model.decoder.head is not None
    last = model.decoder.head.conv3
    assert last.bias is not None
    typical = OUTPUT_PER_INVERSE_METRE / initial.typical_depth_m
    said = []
    handle = last.register_forward_hook(lambda _, __, output: said.append(output))
    with torch.no_grad():
        last.bias.zero_()
        model(torch.randn(1, 1, 3, 10 * PATCH, 10 * PATCH))
        last.weight.mul_(0.5 * typical / said[0].std())
        last.bias.fill_(typical)
    handle.remove()


def _fill(
    model: FlashDepth, weights: str, prefix: str = '', left_out: tuple[str, ...] = ()
) -> None:
    """Fill the entries whose names begin with `prefix`, but for those of the parts left out."""
    source = _ours(read_weights(weights))
    wanted = {
        name: entry
        for name, entry in model.state_dict().items()
        if name.startswith(prefix) and not name.startswith(left_out)
    }
    found = {}
    for name, entry in wanted.items():
        given = source.get(name, source.get(name.removeprefix(prefix)))
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
