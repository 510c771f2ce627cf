"""One process or many: the same code, whether started alone or by torchrun."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import os
import warnings

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class World:
    """The processes that train together, as one of them sees them."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Tell whether this is the process that validates, writes and speaks."""
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

    def wait(self) -> None:
        """Return once every process has come here."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def joined() -> Iterator[World]:
    """Join the processes that torchrun started, by nccl on GPUs and gloo on CPUs, or be alone."""
    size = int(os.environ.get('WORLD_SIZE', '1'))
    rank = int(os.environ.get('RANK', '0'))
    device = torch.device('cpu')
    if torch.cuda.is_available():
        device = torch.device('cuda', int(os.environ.get('LOCAL_RANK', '0')))
        torch.cuda.set_device(device)
    if size == 1:
        yield World(0, 1, device)
        return
    distributed.init_process_group('nccl' if device.type == 'cuda' else 'gloo')
    try:
        with warnings.catch_warnings():
            # Of the 16 weights of the last layer, which may be copied as often as they like.
            warnings.filterwarnings('ignore', 'Grad strides do not match bucket view')
            yield World(rank, size, device)
    finally:
        distributed.destroy_process_group()
