"""A training run: all phases, resumed from the checkpoint where there is one."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from itertools import takewhile
import logging
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.interruption import Interruption
from flashdepth_ros.network import FlashDepth
from flashdepth_ros.network.presets import preset
from flashdepth_ros.runtime.distributed import World
from flashdepth_ros.training.batch_loader import load_batches
from flashdepth_ros.training.config import TrainingConfig
from flashdepth_ros.training.datasets import ClipDataset, Sample, StepSampler, VideoPool
from flashdepth_ros.training.feature_cache import CachedSample, FeatureCache
from flashdepth_ros.training.run_folder import WEIGHTS, RunFolder, read_checkpoint
from flashdepth_ros.training.run_log import RunLog
from flashdepth_ros.training.trainer import Trainer
from flashdepth_ros.training.writing import make_folder

logger = logging.getLogger(__name__)


def train(config: TrainingConfig, world: World) -> bool:
    """
    Train by `config`, resuming from the checkpoint in its output folder if there is one.

    :return: whether the run is finished; false if it was interrupted.
    :raises FlashDepthError: configuration, data or checkpoint are not usable.
    """
    trainer = _resume(config, world)
    if trainer.is_finished:
        return True
    with ExitStack() as stack:
        interruption = stack.enter_context(Interruption())
        log = None
        if world.is_main:
            folder = stack.enter_context(closing(RunFolder(Path(config.output))))
            log = stack.enter_context(closing(RunLog(trainer, folder)))
            _announce(config, trainer)
        cache = None
        if config.uses_cache:
            assert isinstance(trainer.model, FlashDepth)  # the configuration was checked
            cache = FeatureCache(config, trainer.model, world, lambda: interruption.requested)
        drawn = samples(config, world, trainer.step, cache)
        for sample in takewhile(lambda _: not trainer.is_finished, drawn):
            terms = trainer.train_step(sample)
            stops = world.any(interruption.requested)
            if log:
                log.log_step(terms, stops)
            if stops:
                break
    return trainer.is_finished


def _resume(config: TrainingConfig, world: World) -> Trainer:
    """Return the trainer of a run as its checkpoint left it, and say so; a new one without."""
    folder = Path(config.output)
    make_folder(folder)
    state = read_checkpoint(folder)
    trainer = Trainer(config, world)
    if state is not None:
        trainer.restore(state)
        if world.is_main:
            _report_checkpoint(trainer, trainer.changes_since(state))
    return trainer


def _report_checkpoint(trainer: Trainer, changes: str) -> None:
    """Say what a checkpoint means for this run, given the changes of the configuration since."""
    config = trainer.config
    done = f'{config.output}: finished after {trainer.step} steps'
    again = 'use another output, or move this folder away'
    if not trainer.is_finished:
        if changes:
            logger.warning('resuming by a configuration that was changed since: %s', changes)
    elif changes:
        logger.warning(
            '%s, by an earlier configuration; nothing is trained, the results stay those of that '
            'one (%s). To train by the present one, %s',
            *(done, changes, again),
        )
    else:
        logger.info(
            '%s, nothing to do: the weights are %s. To train longer, give a phase more '
            'steps, or the run more minutes; to train again, %s',
            *(done, Path(config.output) / WEIGHTS, again),
        )


def _announce(config: TrainingConfig, trainer: Trainer) -> None:
    logger.info(
        '%s on %s: step %d of %d; loading the first clips in %d processes, writing to %s',
        config.model,
        trainer.world.device,
        trainer.step,
        config.steps,
        config.workers,
        config.output,
    )


def samples(
    config: TrainingConfig, world: World, start: int, cache: FeatureCache | None = None
) -> Iterator[Sample | CachedSample]:
    """
    Yield this process's share of the batch of every step from `start` on.

    :param cache: needed where phases have `cached_samples`; if its build is interrupted, the
        samples end.
    :raises ConfigError: a batch size is not a multiple of the number of processes, or a source is
        not usable.
    :raises InputError: a video cannot be read.
    """
    pool = VideoPool(config.sources)
    canonical_focal = preset(config.model).canonical_focal
    load = partial(load_batches, config.workers, world.device.type == 'cuda')
    step = index = 0
    for phase in config.phases:
        if phase.batch % world.size:
            raise ConfigError(
                f'batch {phase.batch} given, a multiple of {world.size} (processes) expected'
            )
        steps = range(max(0, start - step), phase.steps)
        if phase.sizes:
            index += -index % phase.batch  # All samples of a step have one size.
        if steps:
            clips = ClipDataset(pool, phase, config.augmentation, config.seed, canonical_focal)
            dataset: Dataset[Any] | None = clips
            if phase.cached_samples and cache:
                dataset = cache.build(clips, load)
            if dataset is None:
                return
            yield from load(
                dataset, StepSampler(steps, index, phase.batch, world.rank, world.size)
            )
        step += phase.steps
        index += phase.steps * phase.batch
