"""Assign the benchmark's processes to CPU cores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import os

from flashdepth_ros.errors import ConfigError

Cores = frozenset[int]


@dataclass(frozen=True)
class CoreAssignment:
    """The cores of the measured process, and those of camera and listener; empty: all cores."""

    measured: Cores
    others: Cores


def assign_cores(count: int) -> CoreAssignment:
    """
    Reserve `count` cores for the measured process; 0: all processes share all available cores.

    :raises ConfigError: no core is left for the other processes, or the operating system cannot
        set the CPU affinity.
    """
    if not count:
        return CoreAssignment(frozenset(), frozenset())
    if not hasattr(os, 'sched_setaffinity'):
        raise ConfigError('--cores: this operating system cannot set the CPU affinity; omit it')
    available = sorted(os.sched_getaffinity(0))
    if not 0 < count < len(available):
        raise ConfigError(
            f'--cores {count}: expected 1 to {len(available) - 1}, or 0 to share all cores'
        )
    return CoreAssignment(frozenset(available[:count]), frozenset(available[count:]))


@contextmanager
def cpu_affinity(cores: Cores) -> Iterator[None]:
    """Run the threads and processes started in the block on these cores; empty: on all."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
