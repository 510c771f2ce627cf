"""What the CPU of this machine offers, and how much of it this process may use."""

from functools import cache
import os
from pathlib import Path
import platform

_CPUINFO = Path('/proc/cpuinfo')
_CGROUP = Path('/sys/fs/cgroup')
_BF16 = {'avx512_bf16', 'amx_bf16', 'bf16'}
"""Names of the instructions that multiply bf16, of x86 and of Arm."""


@cache
def has_bf16() -> bool:
    """Tell whether the CPU multiplies bf16 numbers itself; where it does not, bf16 is slower."""
    return bool(_BF16 & features())


@cache
def features() -> frozenset[str]:
    """Return the CPU's features by the kernel's names; none where there is no Linux to ask."""
    return frozenset(_field('flags') + _field('Features'))


@cache
def description() -> str:
    """Return what tells this kind of CPU from another: code compiled here may not run there."""
    return ' '.join((platform.machine(), *_field('model name'), *sorted(features())))


def _field(name: str) -> list[str]:
    if not _CPUINFO.exists():
        return []
    for line in _CPUINFO.read_text(errors='replace').splitlines():
        key, _, value = line.partition(':')
        if key.strip() == name:
            return value.split()
    return []


def usable_cores() -> int:
    """Return how many cores this process may keep busy: its affinity, within its container."""
    if hasattr(os, 'sched_getaffinity'):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    return max(1, int(min(allowed, container_cores(_CGROUP))))


def container_cores(root: Path) -> float:
    """Return the cores that the control groups at `root` grant; infinite without a limit."""
    try:  # version 2: 'max 100000' or '150000 100000', in microseconds
        quota, period = (root / 'cpu.max').read_text().split()
    except (OSError, ValueError):
        try:
            folder = root / 'cpu'
            quota = (folder / 'cpu.cfs_quota_us').read_text().strip()
            period = (folder / 'cpu.cfs_period_us').read_text().strip()
        except OSError:
            return float('inf')
    if not quota.isdigit():  # 'max', or -1
        return float('inf')
    return int(quota) / int(period)
