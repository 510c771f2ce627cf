"""Training steps, and the state that they change."""

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from flashdepth_ros.errors import CheckpointError, ConfigError
from flashdepth_ros.network import FlashDepth, Network, VideoDepthAnything
from flashdepth_ros.network.flashdepth import select_frames
from flashdepth_ros.runtime.distributed import World
from flashdepth_ros.training.config import TrainingConfig
from flashdepth_ros.training.config_changes import describe_changes
from flashdepth_ros.training.datasets import Sample
from flashdepth_ros.training.feature_cache import CachedSample
from flashdepth_ros.training.initial import initial_model
from flashdepth_ros.training.losses import training_loss
from flashdepth_ros.training.optimisation import (
    make_average,
    make_optimisers,
    set_rates,
    step_where_finite,
)


class Trainer:
    """
    The model of a run with optimisers, moving average and step count.

    :raises ConfigError: a run of some minutes has several processes.
    """

    def __init__(self, config: TrainingConfig, world: World) -> None:
        if config.minutes and world.size > 1:
            raise ConfigError(
                f'minutes need one process, not {world.size}: each would end by itself'
            )
        self.config = config
        self.world = world
        self.step = 0
        self.seconds = 0.0
        """Duration of the run so far, validation included."""
        # Channels last: a step takes two thirds of the time on two cores.
        model = initial_model(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model: Network = model.to(world.device).train()
        self.optimisers = make_optimisers(self.model, config.optimiser, not config.uses_cache)
        decay = config.optimiser.ema_decay
        self.average = make_average(self.model, decay) if decay else None
        network: nn.Module = self.model
        if isinstance(self.model, VideoDepthAnything):
            network = _Windows(self.model)
        if config.compile:
            network.compile()
        if world.size > 1:
            network = DistributedDataParallel(network)
        self.network = network

    @property
    def evaluation_model(self) -> Network:
        """Return the model to validate and export: the moving average where there is one."""
        model = self.average.module if self.average else self.model
        assert isinstance(model, (FlashDepth, VideoDepthAnything))
        return model

    @property
    def is_finished(self) -> bool:
        """Whether all steps are done, or the time is over."""
        over = self.config.minutes and self.seconds >= 60 * self.config.minutes
        return bool(over) or self.step >= self.config.steps

    def _progress(self) -> float:
        """Return how much of the run after the warm-up is done, 0 to 1."""
        if self.config.minutes:
            return self.seconds / (60 * self.config.minutes)
        warmup = self.config.optimiser.warmup_steps
        return (self.step - warmup) / max(1, self.config.steps - warmup)

    def train_step(self, sample: Sample | CachedSample) -> dict[str, Tensor]:
        """Train on this process's share of a batch; return the terms of the loss."""
        inputs = sample.model_inputs(self.world.device)
        target = sample.inverse_depth.to(self.world.device, non_blocking=True)
        set_rates(self.optimisers, self.step, self._progress(), self.config.optimiser)
        bfloat16 = self.config.precision == 'bfloat16'
        with torch.autocast(self.world.device.type, dtype=torch.bfloat16, enabled=bfloat16):
            inverse_depth, _ = self.network(*inputs)
        terms = training_loss(inverse_depth.float(), target, self.config.loss)
        terms['loss'].backward()
        norm = torch.nn.utils.clip_grad_norm_(
            self.model.parameters(), self.config.optimiser.clip_norm
        )
        # The norm is the same in every process: the gradients are averaged by now.
        skipped = step_where_finite(self.optimisers, norm)
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        if self.average:
            self.average.update_parameters(self.model)
        self.step += 1
        terms |= {'norm': norm, 'skipped': skipped}
        return {name: term.detach() for name, term in terms.items()}

    def state(self) -> dict[str, Any]:
        """Return what is needed to resume; samples and rates follow from the step."""
        return {
            'config': asdict(self.config),
            'step': self.step,
            'seconds': self.seconds,
            'model': self.model.state_dict(),
            'optimisers': [each.state_dict() for each in self.optimisers],
            'average': self.average.state_dict() if self.average else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """
        Restore a result of `state`; rates and weight decay are those of the configuration.

        :raises CheckpointError: it is of another model, or other parts were trained.
        """
        try:
            self.model.load_state_dict(state['model'])
            for optimiser, saved in zip(self.optimisers, state['optimisers'], strict=True):
                _restore_optimiser(optimiser, saved)
            if self.average:
                self.average.load_state_dict(state['average'])
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
            reason = self.changes_since(state) or 'its weights or optimisers do not fit'
            raise CheckpointError(
                f'the checkpoint in {self.config.output} is of another run ({reason}); use '
                'another output, or move this folder away'
            ) from error
        self.step, self.seconds = state['step'], state['seconds']

    def changes_since(self, state: dict[str, Any]) -> str:
        """Return what was changed in the configuration since `state`; '' if that is not known."""
        return describe_changes(state.get('config', {}), self.config)


class _Windows(nn.Module):
    """Video Depth Anything on clips, in which every frame depends on all others."""

    def __init__(self, model: VideoDepthAnything) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, frames: Tensor, state: None = None, output_frames: Tensor | None = None
    ) -> tuple[Tensor, None]:
        """Estimate all frames of each clip, or `output_frames` (B, S) of them."""
        inverse_depth = self.model.estimate_window(frames)
        if output_frames is not None:
            chosen = select_frames(inverse_depth.flatten(0, 1), output_frames)
            inverse_depth = chosen.unflatten(0, output_frames.shape)
        return inverse_depth, state


def _restore_optimiser(optimiser: Optimizer, state: dict[str, Any]) -> None:
    """Load the state of an optimiser, but keep the current settings of its groups."""
    groups = [
        {key: value for key, value in group.items() if key != 'params'}
        for group in optimiser.param_groups
    ]
    optimiser.load_state_dict(state)
    for group, configured in zip(optimiser.param_groups, groups, strict=True):
        group.update(configured)
