"""Load batches of samples in processes of their own."""

from collections.abc import Iterable, Iterator
import signal
from typing import Any

import cv2
from torch.utils.data import DataLoader, Dataset, default_collate

from flashdepth_ros.entry_point import describe, print_requested_traceback
from flashdepth_ros.errors import FlashDepthError, InputError
from flashdepth_ros.interruption import children_without_interrupt


class _Guarded(Dataset[Any]):
    """Returns what a dataset raises: raised in a loader process, it would come as a traceback."""

    def __init__(self, dataset: Dataset[Any]) -> None:
        self.dataset = dataset

    def __getitem__(self, index: int) -> Any:
        try:
            return self.dataset[index]
        except FlashDepthError as error:
            return error
        except Exception as error:  # noqa: BLE001 - of any type, from files of others
            print_requested_traceback(error)
            return InputError(f'a sample cannot be read: {describe(error)}')


def load_batches(
    workers: int, pinned: bool, dataset: Dataset[Any], batches: Iterable[list[int]]
) -> Iterator[Any]:
    """
    Return the batches of the samples with these indices, in this order.

    :param workers: number of processes; 0: load in this one.
    :param pinned: whether the batches are for a GPU.
    :raises FlashDepthError: when a sample is taken that cannot be read.
    """
    loader = DataLoader(
        _Guarded(dataset),
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=_start_worker,
        # A fork inherits the locks of OpenCV's threads and can deadlock on them.
        multiprocessing_context='spawn' if workers else None,
        pin_memory=pinned,
        prefetch_factor=4 if workers else None,
    )
    with children_without_interrupt():
        return map(_checked, iter(loader))


def _collate(samples: list[Any]) -> Any:
    errors = [each for each in samples if isinstance(each, FlashDepthError)]
    return errors[0] if errors else default_collate(samples)


def _checked(batch: Any) -> Any:
    if isinstance(batch, FlashDepthError):
        raise batch
    return batch


def _start_worker(worker: int) -> None:  # noqa: ARG001
    """
    Limit a loader process to one thread and let it ignore SIGINT and SIGTERM.

    A signal may go to all processes of a run; the trainer needs more batches until it has written
    its checkpoint.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    cv2.setNumThreads(1)
