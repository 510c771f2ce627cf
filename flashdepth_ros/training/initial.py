"""Build the initial model of a run, from scratch or from trained weights."""

from collections.abc import Mapping
from dataclasses import replace
import math
from pathlib import Path

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network import Network, build_model, names
from flashdepth_ros.network.checkpoint import metadata, read_weights
from flashdepth_ros.network.config import PATCH, InverseDepthOutput
from flashdepth_ros.network.convolutional_encoder import ConvolutionalEncoder
from flashdepth_ros.network.decoder import Decoder, Level, ResidualUnit
from flashdepth_ros.network.mamba2 import Mixer, inverse_softplus
from flashdepth_ros.network.presets import preset
from flashdepth_ros.training.config import InitialConfig, TrainingConfig
from flashdepth_ros.training.pretrained import ORIGIN, imagenet_encoder

MEMORY_TOKENS = 4.0, 5000.0
"""Initial time constants of the first and the last head of a recurrence, tokens."""
_CONTEXT = 'context.'
_FUSION = 'fusion.'
_OPTIONAL = ('temporal.', _FUSION)
"""Parts that may be missing in the initial weights; they start without effect."""


def initial_model(config: TrainingConfig) -> Network:
    """
    Build the model of a run with its initial weights; deterministic for a seed.

    :raises CheckpointError: weights cannot be read or do not fit the model.
    """
    architecture = preset(config.model)
    if not config.temporal:
        architecture = replace(architecture, temporal=None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = build_model(architecture)
        if config.initial.pretrained_encoders:
            _load_pretrained_encoders(model)
        _initialise(model, config.initial)
    if config.initial.student:
        excluded = (_CONTEXT, _FUSION) if config.initial.reset_fusion else (_CONTEXT,)
        _load_into(model, config.initial.student, excluded=excluded)
    if config.initial.context:
        _load_into(model, config.initial.context, prefix=_CONTEXT)
    for mixer in (module for module in model.modules() if isinstance(module, Mixer)):
        if config.initial.reset_memory:
            _initialise_memory(mixer)
        if config.initial.max_memory_tokens:
            _limit_memory(mixer, config.initial.max_memory_tokens)
    return model


def origin(initial: InitialConfig, steps: int) -> str:
    """Return where weights trained for `steps` steps are from, for their metadata."""
    files = [Path(each) for each in (initial.student, initial.context) if each]
    parts = [metadata(file).get('origin', file.name) for file in files]
    if initial.pretrained_encoders:
        parts.insert(0, ORIGIN)
    return '; '.join([*dict.fromkeys(parts), f'trained {steps} steps'])


def _initialise(model: Network, initial: InitialConfig) -> None:
    """
    Initialise every layer so that signals keep their scale, for any width of the model.

    The default initialisation suits wide, pretrained encoders. With it, the first output of a
    small one varies by thousandths of the range of depths, and most training steps only scale
    it up.
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
    for unit in (module for module in model.modules() if isinstance(module, ResidualUnit)):
        nn.init.zeros_(unit.conv2.weight)
    for branch in (model, getattr(model, 'context', None)):
        if branch is not None and isinstance(branch.encoder, ConvolutionalEncoder):
            _normalise_maps(branch.encoder, branch.decoder)
    _initialise_output(model, initial)


def _normalise_maps(encoder: ConvolutionalEncoder, decoder: Decoder) -> None:
    """Divide the first layer of every level by the deviation of its map: nothing normalises it."""
    with torch.no_grad():
        maps = encoder(torch.randn(1, 3, 10 * PATCH, 10 * PATCH))
        for level, tapped in zip(sorted(decoder.levels), maps, strict=True):
            module = decoder.levels[level]
            assert isinstance(module, Level)
            module.project.weight.div_(tapped.std())


def _initialise_memory(mixer: Mixer) -> None:
    """
    Initialise each head as a running mean over a few tokens up to the tokens of a hundred frames.

    The default initialisation forgets sooner and reads its state with random signs: earlier
    frames then carry no useful signal, and training learns to ignore them.
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
    Limit the time constant of every head; dt is not changed.

    A head with a time constant longer than the training clips accumulates more in a long stream
    than it did in training.
    """
    with torch.no_grad():
        step = F.softplus(mixer.dt_bias)
        mixer.A_log.copy_(torch.maximum(mixer.A_log, -(tokens * step).log()))


def _initialise_output(model: Network, initial: InitialConfig) -> None:
    """
    Make the last layer output a typical depth on average, with half of that as deviation.

    With the default initialisation it outputs 0 for half of all inputs, where the gradient of its
    ReLU is 0.
    """
    assert model.decoder.head is not None
    last = model.decoder.head.conv3
    assert last.bias is not None
    assert isinstance(model.config.output, InverseDepthOutput)
    typical = model.config.output.per_inverse_metre / initial.typical_depth_m
    outputs = []
    handle = last.register_forward_hook(lambda _, __, output: outputs.append(output))
    with torch.no_grad():
        last.bias.zero_()
        model(torch.randn(1, 1, 3, 10 * PATCH, 10 * PATCH))
        last.weight.mul_(0.5 * typical / outputs[0].std())
        last.bias.fill_(typical)
    handle.remove()


def _load_pretrained_encoders(model: Network) -> None:
    """Load weights trained on ImageNet into every convolutional encoder."""
    entries = imagenet_encoder()
    for module in model.modules():
        if isinstance(module, ConvolutionalEncoder):
            module.load_state_dict({name: entries[name] for name in module.state_dict()})


def _load_into(
    model: Network, weights: str, prefix: str = '', excluded: tuple[str, ...] = ()
) -> None:
    """Load the entries whose names begin with `prefix`, except those of the excluded parts."""
    source = _with_package_names(read_weights(weights))
    required = {
        name: entry
        for name, entry in model.state_dict().items()
        if name.startswith(prefix) and not name.startswith(excluded)
    }
    found = {}
    for name, entry in required.items():
        loaded = source.get(name, source.get(name.removeprefix(prefix)))
        if loaded is None and name.startswith(_OPTIONAL):
            continue
        if loaded is None or loaded.shape != entry.shape:
            shape = None if loaded is None else tuple(loaded.shape)
            raise CheckpointError(
                f'{weights} does not fit {model.config.name}: {name} of shape '
                f'{tuple(entry.shape)} expected, {shape} found'
            )
        found[name] = loaded
    model.load_state_dict(found, strict=False)


def _with_package_names(entries: Mapping[str, Tensor]) -> dict[str, Tensor]:
    renamed = {names.from_released(name): entry for name, entry in entries.items()}
    return {name: entry for name, entry in renamed.items() if name is not None}
