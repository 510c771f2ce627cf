"""Run the same code in a single process or in the processes of torchrun."""

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
    """The process group from the view of one process."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Return whether this process writes the results and the log."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Return whether `flag` is true in any process."""
        return bool(self.mean(torch.tensor(float(flag), device=self.device)) > 0)

    def mean(self, value: Tensor) -> Tensor:
        """Return the mean of `value` over all processes."""
        if self.size > 1:
            value = value.clone()
            distributed.all_reduce(value)
        return value / self.size

    def gather(self, value: Value) -> list[Value]:
        """Return the values of all processes in rank order; any object that can be pickled."""
        if self.size == 1:
            return [value]
        values: list[Value | None] = [None] * self.size
        distributed.all_gather_object(values, value)
        return [each for each in values if each is not None]

    def barrier(self) -> None:
        """Wait until every process has called this."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def process_group(timeout: timedelta | None = None) -> Iterator[World]:
    """
    Join the process group of torchrun (nccl on GPUs, gloo on CPUs); without it, be the only one.

    :param timeout: how long a process waits for the others; None: the default of torch.
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
    distributed.init_process_group(backend, timeout=timeout)
    try:
        with warnings.catch_warnings():
            # It concerns the 16 weights of the last layer; copying those is cheap.
            warnings.filterwarnings('ignore', 'Grad strides do not match bucket view')
            yield World(rank, size, device)
    finally:
        distributed.destroy_process_group()
