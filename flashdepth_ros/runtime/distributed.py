"""One process or many: the same code, whether started alone or by torchrun."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
import os
from typing import TypeVar
import warnings

import torch
from torch import Tensor, distributed

Value = TypeVar('Value')


@dataclass(frozen=True)
class World:
    """The processes that work together, as one of them sees them."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Tell whether this is the process that writes and speaks."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Tell whether `flag` holds in any process."""
        return bool(self.mean(torch.tensor(float(flag), device=self.device)) > 0)

    def mean(self, value: Tensor) -> Tensor:
        """Return the mean over processes of a number each one has."""
        if self.size > 1:
            value = value.clone()
            distributed.all_reduce(value)
        return value / self.size

    def gather(self, value: Value) -> list[Value]:
        """Return every process's value, by rank; any object that can be pickled."""
        if self.size == 1:
            return [value]
        values: list[Value | None] = [None] * self.size
        distributed.all_gather_object(values, value)
        return [each for each in values if each is not None]

    def wait(self) -> None:
        """Return once every process has come here."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def joined(patience: timedelta | None = None) -> Iterator[World]:
    """
    Join the processes that torchrun started, by nccl on GPUs and gloo on CPUs, or be alone.

    :param patience: how long the others wait for one that is busy; None: what torch finds enough.
    """
    size = int(os.environ.get('WORLD_SIZE', '1'))
    rank = int(os.environ.get('RANK', '0'))
    device = torch.device('cpu')
    if torch.cuda.is_available():
        device = torch.device('cuda', int(os.environ.get('LOCAL_RANK', '0')))
        torch.cuda.set_device(device)
    if size == 1:
        yield World(0, 1, device)
        return
    backend = 'nccl' if device.type == 'cuda' else 'gloo'
    distributed.init_process_group(backend, timeout=patience)
    try:
        with warnings.catch_warnings():
            # Of the 16 weights of the last layer, which may be copied as often as they like.
            warnings.filterwarnings('ignore', 'Grad strides do not match bucket view')
            yield World(rank, size, device)
    finally:
        distributed.destroy_process_group()
