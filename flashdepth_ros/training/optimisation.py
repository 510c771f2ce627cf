"""Optimisers, learning rate schedule and moving average of the weights."""

from collections.abc import Sequence
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network import FlashDepth, Network
from flashdepth_ros.training.config import OptimiserConfig, RatesConfig

Tensors = tuple[Tensor, ...] | list[Tensor]
PARTS = tuple(RatesConfig.__dataclass_fields__)
"""The parts of a model with a learning rate each: the first component of parameter names."""


def make_optimisers(
    model: Network, config: OptimiserConfig, train_features: bool = True
) -> list[Optimizer]:
    """
    Return the optimisers of the parts with a rate above 0, and freeze the other parts.

    Weight decay applies to matrices and kernels, not to biases, scales, embeddings and the
    parameters A, D and dt of Mamba-2.

    :param train_features: false also freezes everything before temporal alignment.
    :raises ConfigError: `muon` is set, and this version of PyTorch does not have it.
    """
    muon: list[dict[str, Any]] = []
    adam: list[dict[str, Any]] = []
    for part in PARTS:
        rate = getattr(config.rates, part)
        groups: dict[str, list[nn.Parameter]] = {'muon': [], 'decay': [], 'no_decay': []}
        for name, parameter in _trainable(model, part, rate, train_features):
            uses_muon = config.muon and parameter.ndim == 2 and '.blocks.' in name
            groups[
                'muon' if uses_muon else 'decay' if _decays(name, parameter) else 'no_decay'
            ].append(parameter)
        for kind, parameters in groups.items():
            if parameters:
                decay = 0.0 if kind == 'no_decay' else config.weight_decay
                group = {'params': parameters, 'peak': rate, 'lr': rate, 'weight_decay': decay}
                (muon if kind == 'muon' else adam).append(group)
    optimisers: list[Optimizer] = [AdamW(adam, eps=config.epsilon, fused=True)]
    if muon:
        if not hasattr(torch.optim, 'Muon'):
            raise ConfigError(f'muon needs PyTorch 2.9 or newer, {torch.__version__} is installed')
        # Scales the update to the size of AdamW's, so that both can use the same rate.
        optimisers.append(torch.optim.Muon(muon, adjust_lr_fn='match_rms_adamw'))
    return optimisers


def step_where_finite(optimisers: Sequence[Optimizer], norm: Tensor) -> Tensor:
    """
    Step, unless the norm of the gradients is not finite.

    AdamW finds that out on the device, so that nothing waits for a GPU.

    :return: 1 if the step was skipped, else 0.
    """
    skipped = (~norm.isfinite()).float()
    for optimiser in optimisers:
        if isinstance(optimiser, AdamW):
            optimiser.found_inf = skipped  # type: ignore[attr-defined]
        elif skipped:
            continue
        optimiser.step()
    return skipped


def set_rates(
    optimisers: Sequence[Optimizer], step: int, progress: float, config: OptimiserConfig
) -> None:
    """Set the learning rate of every group; see `rate_factor`."""
    factor = rate_factor(step, progress, config)
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group['lr'] = group['peak'] * factor


def rate_factor(step: int, progress: float, config: OptimiserConfig) -> float:
    """
    Return the learning rate at `step`, relative to the peak: linear warm-up, half cosine.

    :param progress: how much of the run after the warm-up is done, 0 to 1.
    """
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))
    return config.final_rate + (1.0 - config.final_rate) * cosine


def make_average(model: nn.Module, decay: float) -> AveragedModel:
    """Return a moving average of the weights; its first 1 / (1 - decay) updates weigh the same."""

    def blend(averages: Tensors, currents: Tensors, updates: Tensor | int) -> None:
        # The weight stays on the device: a GPU need not be waited for.
        weight = (1.0 / (torch.as_tensor(updates) + 1.0)).clamp(min=1.0 - decay)
        changes = torch._foreach_sub(currents, averages)
        torch._foreach_mul_(changes, weight)
        torch._foreach_add_(averages, changes)

    return AveragedModel(model, multi_avg_fn=blend)


def _trainable(
    model: Network, part: str, rate: float, train_features: bool
) -> list[tuple[str, nn.Parameter]]:
    """Return names and parameters of a part that are trained, and freeze its others."""
    named = [(n, p) for n, p in model.named_parameters() if n.split('.')[0] == part]
    for name, parameter in named:
        kept = isinstance(model, FlashDepth) and model.is_before_alignment(name)
        frozen = not train_features and kept
        parameter.requires_grad_(rate > 0 and not frozen)
    return [(name, parameter) for name, parameter in named if parameter.requires_grad]


def _decays(name: str, parameter: Tensor) -> bool:
    return parameter.ndim >= 2 and not name.endswith(('position_embedding', 'class_token'))
