"""Features of the CPU, and the number of cores that this process may use."""

from functools import cache
import os
from pathlib import Path
import platform

_CPUINFO = Path('/proc/cpuinfo')
_CGROUP = Path('/sys/fs/cgroup')
_BF16 = {'avx512_bf16', 'amx_bf16', 'bf16'}
"""Feature names of the bf16 multiplication instructions of x86 and Arm."""


@cache
def has_bf16() -> bool:
    """Return whether the CPU has bf16 multiplication; without it, bf16 is slower than fp32."""
    return bool(_BF16 & cpu_features())


@cache
def cpu_features() -> frozenset[str]:
    """Return the Linux kernel's names of the CPU features; empty on other systems."""
    return frozenset(_field('flags') + _field('Features'))


@cache
def cpu_description() -> str:
    """Return a text that identifies the CPU type, because compiled code may need its features."""
    return ' '.join((platform.machine(), *_field('model name'), *sorted(cpu_features())))


def _field(name: str) -> list[str]:
    if not _CPUINFO.exists():
        return []
    for line in _CPUINFO.read_text(errors='replace').splitlines():
        key, _, value = line.partition(':')
        if key.strip() == name:
            return value.split()
    return []


def usable_cores() -> int:
    """Return the number of usable cores: CPU affinity, limited by the container's quota."""
    if hasattr(os, 'sched_getaffinity'):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    return max(1, int(min(allowed, container_cores(_CGROUP))))


def container_cores(root: Path) -> float:
    """Return the core limit of the control groups at `root`; infinite without a limit."""
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
