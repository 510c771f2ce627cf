"""Features of the CPU, and the number of cores that this process may use."""

from collections.abc import Mapping
from functools import cache
import os
from pathlib import Path, PurePosixPath
import platform

_CPUINFO = Path('/proc/cpuinfo')
_CGROUP = Path('/sys/fs/cgroup')
_OWN_GROUPS = Path('/proc/self/cgroup')
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
    """Return the number of usable cores: CPU affinity, container quota and OMP_NUM_THREADS."""
    if hasattr(os, 'sched_getaffinity'):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    own = _OWN_GROUPS.read_text() if _OWN_GROUPS.exists() else ''
    limits = container_cores(_CGROUP, own), _requested_threads(os.environ)
    return max(1, int(min(allowed, *limits)))


def container_cores(root: Path, own: str) -> float:
    """
    Return the smallest core limit of this process's control groups; infinite without a limit.

    :param root: where the control groups are mounted.
    :param own: the content of /proc/self/cgroup; in a container it may be that of the host.
    """
    limits = [_group_cores(root), _group_cores(root / 'cpu')]
    for line in own.splitlines():
        _, controllers, path = line.split(':', 2)
        if controllers and 'cpu' not in controllers.split(','):
            continue
        hierarchy = root / 'cpu' if controllers else root
        group = PurePosixPath(path.lstrip('/'))
        limits.extend(_group_cores(hierarchy / each) for each in (group, *group.parents))
    return min(limits)


def _group_cores(folder: Path) -> float:
    try:  # version 2: 'max 100000' or '150000 100000', in microseconds
        quota, period = (folder / 'cpu.max').read_text().split()
    except (OSError, ValueError):
        try:
            quota = (folder / 'cpu.cfs_quota_us').read_text().strip()
            period = (folder / 'cpu.cfs_period_us').read_text().strip()
        except OSError:
            return float('inf')
    if not quota.isdigit():  # 'max', or -1
        return float('inf')
    return int(quota) / int(period)


def _requested_threads(environment: Mapping[str, str]) -> float:
    """Return the number of threads that the user requests; infinite if none is requested."""
    outer = environment.get('OMP_NUM_THREADS', '').partition(',')[0].strip()
    return int(outer) if outer.isdigit() and int(outer) else float('inf')
