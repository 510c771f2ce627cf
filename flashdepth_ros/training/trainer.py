"""A model as it learns: one step at a time, with all that a step changes."""

import logging
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network import FlashDepth
from flashdepth_ros.runtime.distributed import World
from flashdepth_ros.training.config import TrainingConfig
from flashdepth_ros.training.datasets import Sample
from flashdepth_ros.training.initial import initial_model
from flashdepth_ros.training.keeping import KeptSample
from flashdepth_ros.training.losses import training_loss
from flashdepth_ros.training.optimisation import make_average, make_optimisers, set_rates

logger = logging.getLogger(__name__)


class Trainer:
    """The model of a run, its optimiser and average, and how far they have come."""

    def __init__(self, config: TrainingConfig, world: World) -> None:
        self.config = config
        self.world = world
        self.step = 0
        self.seconds = 0.0
        # Channels last: on two cores a step then takes two thirds of the time.
        model = initial_model(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model: FlashDepth = model.to(world.device).train()
        self.optimisers = make_optimisers(self.model, config.optimiser, not config.keeps)
        decay = config.optimiser.average
        self.average = make_average(self.model, decay) if decay else None
        network: nn.Module = self.model
        if config.compile:
            network.compile()
        if world.size > 1:
            network = DistributedDataParallel(network)
        self.network = network

    @property
    def shown(self) -> FlashDepth:
        """Return the model to validate and export: the average where there is one."""
        model = self.average.module if self.average else self.model
        assert isinstance(model, FlashDepth)
        return model

    def learn(self, sample: Sample | KeptSample) -> dict[str, Tensor]:
        """Take one step on this process's share of a batch; return the terms of its loss."""
        given = sample.given(self.world.device)
        truth = sample.inverse_depth.to(self.world.device, non_blocking=True)
        set_rates(self.optimisers, self.step, self.config.steps, self.config.optimiser)
        bfloat16 = self.config.precision == 'bfloat16'
        with torch.autocast(self.world.device.type, dtype=torch.bfloat16, enabled=bfloat16):
            inverse_depth, _ = self.network(*given)
        terms = training_loss(inverse_depth.float(), truth, self.config.loss)
        terms['loss'].backward()
        norm = torch.nn.utils.clip_grad_norm_(
            self.model.parameters(), self.config.optimiser.clip_norm
        )
        # The same in every process: gradients have been averaged by now.
        if norm.isfinite():
            for optimiser in self.optimisers:
                optimiser.step()
        else:
            logger.warning('step %d left out: its gradient is not finite', self.step)
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        if self.average:
            self.average.update_parameters(self.model)
        self.step += 1
        return {name: term.detach() for name, term in terms.items()} | {'norm': norm}

    def state(self) -> dict[str, Any]:
        """Return all that is needed to go on; samples and rates follow from the step."""
        return {
            'step': self.step,
            'seconds': self.seconds,
            'model': self.model.state_dict(),
            'optimisers': [each.state_dict() for each in self.optimisers],
            'average': self.average.state_dict() if self.average else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """
        Take over what `state` returned; rates and decay stay as configured now.

        :raises CheckpointError: it is of another model or of other parts of it.
        """
        try:
            self.model.load_state_dict(state['model'])
            for optimiser, given in zip(self.optimisers, state['optimisers'], strict=True):
                _take_over(optimiser, given)
            if self.average:
                self.average.load_state_dict(state['average'])
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise CheckpointError(
                f'the checkpoint in {self.config.output} is of another run ({error}); '
                'give a new output folder'
            ) from error
        self.step, self.seconds = state['step'], state['seconds']


def _take_over(optimiser: Optimizer, state: dict[str, Any]) -> None:
    """Load what the optimiser has seen, not how it was configured."""
    groups = [
        {key: value for key, value in group.items() if key != 'params'}
        for group in optimiser.param_groups
    ]
    optimiser.load_state_dict(state)
    for group, configured in zip(optimiser.param_groups, groups, strict=True):
        group.update(configured)
