"""Which parameters learn how fast, and how their rates change over a run."""

from collections.abc import Sequence
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network import FlashDepth
from flashdepth_ros.training.config import OptimiserConfig, RatesConfig

PARTS = tuple(RatesConfig.__dataclass_fields__)
"""The parts of a model that have a learning rate each: the first word of a parameter's name."""


def make_optimisers(
    model: FlashDepth, config: OptimiserConfig, seeing: bool = True
) -> list[Optimizer]:
    """
    Return the optimisers of the parts whose rate is not 0; the others are frozen here.

    Matrices and kernels decay; biases, scales, embeddings and Mamba-2's own numbers do not.

    :param seeing: false freezes all that comes before frames are aligned over time, too.
    :raises ConfigError: Muon is asked for, and this PyTorch has none.
    """
    muon: list[dict[str, Any]] = []
    adam: list[dict[str, Any]] = []
    for part in PARTS:
        rate = getattr(config.rates, part)
        chosen: dict[str, list[nn.Parameter]] = {'muon': [], 'decaying': [], 'free': []}
        for name, parameter in _learning(model, part, rate, seeing):
            hidden = config.muon and parameter.ndim == 2 and '.blocks.' in name
            chosen[
                'muon' if hidden else 'decaying' if _decays(name, parameter) else 'free'
            ].append(parameter)
        for kind, parameters in chosen.items():
            if parameters:
                decay = 0.0 if kind == 'free' else config.weight_decay
                group = {'params': parameters, 'peak': rate, 'lr': rate, 'weight_decay': decay}
                (muon if kind == 'muon' else adam).append(group)
    optimisers: list[Optimizer] = [AdamW(adam, eps=config.epsilon, fused=True)]
    if muon:
        if not hasattr(torch.optim, 'Muon'):
            raise ConfigError(f'muon needs PyTorch 2.9 or newer, this is {torch.__version__}')
        # As large a step as AdamW's, so that one rate serves both.
        optimisers.append(torch.optim.Muon(muon, adjust_lr_fn='match_rms_adamw'))
    return optimisers


def set_rates(
    optimisers: Sequence[Optimizer], step: int, steps: int, config: OptimiserConfig
) -> None:
    """Give every group its rate for `step` of `steps`."""
    factor = rate_factor(step, steps, config)
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group['lr'] = group['peak'] * factor


def rate_factor(step: int, steps: int, config: OptimiserConfig) -> float:
    """Return the share of the peak rate at `step`: linear warm-up, then a half cosine."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, steps - config.warmup_steps)
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))
    return config.final_rate + (1.0 - config.final_rate) * cosine


def make_average(model: nn.Module, decay: float) -> AveragedModel:
    """Return a running average of the weights; its first 1 / (1 - decay) updates weigh alike."""

    def blend(average: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
        return average.lerp(current, max(1.0 - decay, 1.0 / (float(updates) + 1.0)))

    return AveragedModel(model, avg_fn=blend)


def _learning(
    model: FlashDepth, part: str, rate: float, seeing: bool
) -> list[tuple[str, nn.Parameter]]:
    """Return the parameters of a part that learn, by name; its others are frozen here."""
    named = [(n, p) for n, p in model.named_parameters() if n.split('.')[0] == part]
    for name, parameter in named:
        parameter.requires_grad_(rate > 0 and (seeing or not model.sees_by(name)))
    return [(name, parameter) for name, parameter in named if parameter.requires_grad]


def _decays(name: str, parameter: Tensor) -> bool:
    return parameter.ndim >= 2 and not name.endswith(('position_embedding', 'class_token'))
