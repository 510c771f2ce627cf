"""
Checks of the computer: interpreter, processor, memory, folders, clock, sockets.

What needs PyTorch is imported where it is used, so that the other checks do without.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
import os
from pathlib import Path
import shutil
import sys
from tempfile import TemporaryFile
import time

from flashdepth_ros.tools.doctor.finding import FAIL, OK, WARN, Finding

OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 13)
_NEEDED_MB = 1000
"""About what the default model needs, see doc/performance.md."""
_SEGMENT_MB = 34
"""Shared memory of one process with the shipped profile."""
_SOCKET_BYTES = 4 * 2**20
_SOCKET_LIMIT = Path('/proc/sys/net/core/rmem_max')
_MEMORY = Path('/proc/meminfo')
_SHARED_MEMORY = Path('/dev/shm')
_BUILT_S = 1.7e9
"""November 2023; an earlier time is wrong."""


def interpreter(_: Mapping[str, str]) -> Iterator[Finding]:
    """Check the version of Python."""
    version = sys.version_info[:2]
    kind = 'virtual environment' if sys.prefix != sys.base_prefix else 'no virtual environment'
    value = f'{sys.version.split()[0]} ({sys.executable}, {kind})'
    if OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        yield Finding('python', value)
    else:
        yield Finding('python', value, WARN, 'tested with Python 3.10 to 3.13')


def processor(_: Mapping[str, str]) -> Iterator[Finding]:
    """Tell the usable cores, and whether the CPU multiplies bf16."""
    from flashdepth_ros.runtime.engines.processor import has_bf16, usable_cores

    cores, present = usable_cores(), os.cpu_count() or 1
    value = f'{cores} of {present} cores, {"with" if has_bf16() else "without"} bf16'
    if cores < present:
        value += ' (limited by affinity, a container or OMP_NUM_THREADS)'
    yield Finding('processor', value)


def memory(_: Mapping[str, str]) -> Iterator[Finding]:
    """Check that the default model and the images fit into memory."""
    fields = dict(line.split(':') for line in _MEMORY.read_text().splitlines())
    available = int(fields['MemAvailable'].split()[0]) / 1e3
    value = f'{available:.0f} MB available'
    if available < _NEEDED_MB:
        yield Finding('memory', value, WARN, f'the node needs about {_NEEDED_MB} MB')
    else:
        yield Finding('memory', value)
    if _SHARED_MEMORY.is_dir():
        usage = shutil.disk_usage(_SHARED_MEMORY)
        value = f'{usage.free / 1e6:.0f} of {usage.total / 1e6:.0f} MB free in {_SHARED_MEMORY}'
        enough = usage.free / 1e6 >= 2 * _SEGMENT_MB
        fix = (
            f'driver and node need {_SEGMENT_MB} MB each, or images go through the network: start '
            'the container with --shm-size=512m, or --ipc=host'
        )
        yield Finding('shared memory', value, *(() if enough else (WARN, fix)))


def folders(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Check that files can be written where the node and ROS write them."""
    ros_home = environ.get('ROS_HOME') or Path.home() / '.ros'
    log = Path(environ.get('ROS_LOG_DIR') or Path(ros_home, 'log'))
    yield _folder('log folder', log, FAIL, 'ROS does not start: set ROS_LOG_DIR to another one')

    from flashdepth_ros.runtime.weights import cache_folder

    fix = 'networks are compiled again at every start: make it writable or set XDG_CACHE_HOME'
    yield _folder('cache folder', cache_folder(), WARN, fix)


def clock(_: Mapping[str, str]) -> Iterator[Finding]:
    """Check that the clock was set since the start of a computer without a battery."""
    now = time.strftime('%Y-%m-%d %H:%M:%S %Z')
    if time.time() < _BUILT_S:
        fix = 'set the clock (NTP), else stamps of other computers do not fit'
        yield Finding('clock', now, WARN, fix)
    else:
        yield Finding('clock', now)


def sockets(_: Mapping[str, str]) -> Iterator[Finding]:
    """Check the size of the receive buffers, for cameras of other computers."""
    size = int(_SOCKET_LIMIT.read_text())
    value = f'receive buffers up to {size / 1e6:.1f} MB'
    if size < _SOCKET_BYTES:
        fix = 'only for cameras on other computers: sudo sysctl -w net.core.rmem_max=33554432'
        yield Finding('sockets', value, WARN, fix)
    else:
        yield Finding('sockets', value)


def _folder(name: str, path: Path, status: str, fix: str) -> Finding:
    """Try to write where `path` is, or where it would be made."""
    existing = next(each for each in (path, *path.parents) if each.exists())
    try:
        with TemporaryFile(dir=existing):
            return Finding(name, str(path), OK)
    except OSError as error:
        return Finding(name, f'{path}: {error.strerror}', status, fix)
