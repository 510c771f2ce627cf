"""A whole run: phase after phase, from where it was interrupted to its weights."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
import signal
from typing import Any

import cv2
from torch.utils.data import DataLoader, Dataset

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.interruption import Interruption
from flashdepth_ros.network.config import preset
from flashdepth_ros.runtime.distributed import World
from flashdepth_ros.training.config import TrainingConfig
from flashdepth_ros.training.datasets import ClipDataset, Sample, StepSampler, VideoPool
from flashdepth_ros.training.journal import Journal
from flashdepth_ros.training.keeping import Keeper, KeptSample
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
        keeper = Keeper(config, trainer.model, world, lambda: interruption.requested)
        for sample in samples(config, world, trainer.step, keeper):
            terms = trainer.learn(sample)
            stops = world.any(interruption.requested)
            if journal:
                journal.note(terms, stops)
            if stops:
                break
    return trainer.step == config.steps


def samples(
    config: TrainingConfig, world: World, start: int, keeper: Keeper | None = None
) -> Iterator[Sample | KeptSample]:
    """
    Yield this process's share of the batch of every step from `start` to the end.

    They end before where the keeper is interrupted; none is needed where no samples are kept.

    :raises ConfigError: a batch does not divide by the processes, or a source is not usable.
    """
    pool = VideoPool(config.sources)
    canonical_focal = preset(config.model).canonical_focal
    loaded = partial(_loaded, config.workers, world.device.type == 'cuda')
    step = index = 0
    for phase in config.phases:
        if phase.batch % world.size:
            raise ConfigError(
                f'a batch of {phase.batch} given, a multiple of {world.size} (processes) expected'
            )
        steps = range(max(0, start - step), phase.steps)
        if steps:
            drawn = ClipDataset(pool, phase, config.augmentation, config.seed, canonical_focal)
            dataset: Dataset[Any] | None = drawn
            if phase.kept and keeper:
                dataset = keeper.keep(drawn, loaded)
            if dataset is None:
                return
            yield from loaded(
                dataset, StepSampler(steps, index, phase.batch, world.rank, world.size)
            )
        step += phase.steps
        index += phase.steps * phase.batch


def _loaded(
    workers: int, pinned: bool, dataset: Dataset[Any], batches: Iterable[list[int]]
) -> Iterable[Any]:
    return DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=workers,
        worker_init_fn=_start_worker,
        # A fork inherits the locks of OpenCV's threads, and may wait for one for ever.
        multiprocessing_context='spawn' if workers else None,
        pin_memory=pinned,
        prefetch_factor=4 if workers else None,
    )


def _start_worker(worker: int) -> None:  # noqa: ARG001
    """
    Keep a loader process to one core, the others are for training, and let it load to the end.

    A signal to all processes of a run is for the trainer, which writes its checkpoint first.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    cv2.setNumThreads(1)
