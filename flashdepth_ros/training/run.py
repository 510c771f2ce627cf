"""A whole run: phase after phase, from where it was interrupted to its weights."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
import signal

import cv2
from torch.utils.data import DataLoader

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.interruption import Interruption
from flashdepth_ros.network.config import preset
from flashdepth_ros.runtime.distributed import World
from flashdepth_ros.training.config import TrainingConfig
from flashdepth_ros.training.datasets import ClipDataset, Sample, StepSampler, VideoPool
from flashdepth_ros.training.journal import Journal
from flashdepth_ros.training.records import Records, read_checkpoint
from flashdepth_ros.training.trainer import Trainer


def train(config: TrainingConfig, world: World) -> bool:
    """
    Train as `config` says, going on from the checkpoint in its folder if there is one.

    :return: whether the run is finished; false if it was asked to stop before.
    :raises FlashDepthError: of what configuration, data or checkpoint are not usable.
    """
    trainer = Trainer(config, world)
    folder = Path(config.output)
    state = read_checkpoint(folder)
    if state is not None:
        trainer.restore(state)
    with ExitStack() as stack:
        interruption = stack.enter_context(Interruption())
        journal = None
        if world.leads:
            records = stack.enter_context(closing(Records(folder)))
            journal = stack.enter_context(closing(Journal(trainer, records)))
        for sample in samples(config, world, trainer.step):
            terms = trainer.learn(sample)
            stops = world.any(interruption.requested)
            if journal:
                journal.note(terms, stops)
            if stops:
                break
    return trainer.step == config.steps


def samples(config: TrainingConfig, world: World, start: int) -> Iterator[Sample]:
    """
    Yield this process's share of the batch of every step from `start` to the end.

    :raises ConfigError: a batch does not divide by the processes, or a source is not usable.
    """
    pool = VideoPool(config.sources)
    canonical_focal = preset(config.model).canonical_focal
    step = index = 0
    for phase in config.phases:
        if phase.batch % world.size:
            raise ConfigError(
                f'a batch of {phase.batch} given, a multiple of {world.size} (processes) expected'
            )
        steps = range(max(0, start - step), phase.steps)
        if steps:
            sampler = StepSampler(steps, index, phase.batch, world.rank, world.size)
            yield from DataLoader(
                ClipDataset(pool, phase, config.augmentation, config.seed, canonical_focal),
                batch_sampler=sampler,
                num_workers=config.workers,
                worker_init_fn=_start_worker,
                # A fork inherits the locks of OpenCV's threads, and may wait for one for ever.
                multiprocessing_context='spawn' if config.workers else None,
                pin_memory=world.device.type == 'cuda',
                prefetch_factor=4 if config.workers else None,
            )
        step += phase.steps
        index += phase.steps * phase.batch


def _start_worker(worker: int) -> None:  # noqa: ARG001
    """
    Keep a loader process to one core, the others are for training, and let it load to the end.

    A signal to all processes of a run is for the trainer, which writes its checkpoint first.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    cv2.setNumThreads(1)
