"""Which cores the benchmark's processes run on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import os

from flashdepth_ros.errors import ConfigError

Cores = frozenset[int]


@dataclass(frozen=True)
class Shares:
    """The cores of what is measured, and those of camera and listener."""

    measured: Cores
    others: Cores


def share(count: int) -> Shares:
    """
    Give what is measured `count` cores of its own; 0: all share all that this process may use.

    :raises ConfigError: no core is left for the others, or the system cannot confine a process.
    """
    if not count:
        return Shares(frozenset(), frozenset())
    if not hasattr(os, 'sched_setaffinity'):
        raise ConfigError('this system cannot confine a process to some cores; leave out --cores')
    known = sorted(os.sched_getaffinity(0))
    if not 0 < count < len(known):
        raise ConfigError(f'--cores {count}: 1 to {len(known) - 1} expected, or 0 to share all')
    return Shares(frozenset(known[:count]), frozenset(known[count:]))


@contextmanager
def confined(cores: Cores) -> Iterator[None]:
    """Let threads and processes that this thread starts in the block run on these; empty: all."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
