"""Fast DDS's shared memory: whether it is shared with the publishers, and what is left in it."""

from __future__ import annotations

from collections.abc import Iterator
import fcntl
import os
from pathlib import Path
import pwd
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rclpy.node import Node

FOLDER = Path('/dev/shm')
WITHOUT_SHARED_MEMORY = (
    'run the camera driver and the node as the same user (containers: --ipc=host and the same '
    '--user), or set FASTDDS_BUILTIN_TRANSPORTS=UDPv4 for both, without a profiles file and '
    'without ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST, which use shared memory all the same'
)
"""What to do if shared memory is not shared."""

# The name of a node that was discovered, but whose data does not arrive.
_UNKNOWN_NODE = '_NODE_NAME_UNKNOWN_'
# The start of an endpoint's gid, the same for all processes of a host: vendor and host.
_FAST_DDS, _HOST_BYTES = b'\x01\x0f', 4
_NAMES = ('fastrtps_', 'fastdds_')
# The lock file of a segment has this added to the segment's name.
_LOCK = '_el'
# A process that starts creates the two files one after the other.
_MIN_AGE_S = 10.0


def foreign_users(folder: Path = FOLDER) -> list[str]:
    """Return the other users whose running processes use Fast DDS's shared memory."""
    users = set(_owners(folder)) - {os.geteuid()}
    return sorted(map(_user_name, users))


def shared_memory_problem(node: Node, topic: str, folder: Path = FOLDER) -> str:
    """
    Return why nothing arrives from the publishers of a topic through shared memory.

    Return '' if they are on other hosts, or if other data of one of them does arrive: then the
    names of their nodes are known.
    """
    publishers = node.get_publishers_info_by_topic(topic)
    here = _host(node)
    silent = [
        each
        for each in publishers
        if each.node_name == _UNKNOWN_NODE and bytes(each.endpoint_gid[:_HOST_BYTES]) == here
    ]
    if not silent or len(silent) < len(publishers):
        return ''
    if users := foreign_users(folder):
        return (
            f'processes of {", ".join(users)} on this host use shared memory ({folder}) that '
            f'{_user_name(os.geteuid())} cannot use'
        )
    return (
        f'nothing at all arrives from its publisher on this host, as between containers that do '
        f'not share {folder}'
    )


def remove_abandoned_segments(folder: Path = FOLDER, min_age_s: float = _MIN_AGE_S) -> int:
    """
    Remove the segments of processes that were killed; return how many bytes became free.

    Fast DDS removes a segment when its process ends, but not when it is killed. With the shipped
    profile each has 34 MB, so a few kills fill the 64 MiB of a Docker container. `fastdds shm
    clean` does the same where it is installed.

    :param min_age_s: leave younger ones: their process may not have locked them yet.
    """
    return sum(_remove(lock) for lock in _abandoned(folder, min_age_s))


def abandoned_bytes(folder: Path = FOLDER) -> int:
    """Return how many bytes `remove_abandoned_segments` would make free, for any user."""
    return sum(_segment_bytes(lock) for lock in _abandoned(folder, _MIN_AGE_S))


def _abandoned(folder: Path, min_age_s: float) -> list[Path]:
    """Return the lock files of the segments of processes that were killed."""
    return [
        lock for lock in _lock_files(folder) if _age_s(lock) >= min_age_s and not _is_locked(lock)
    ]


def _owners(folder: Path) -> Iterator[int]:
    """Yield the owners of the segments of running processes."""
    for lock in _lock_files(folder):
        if _is_locked(lock):
            yield lock.stat().st_uid


def _lock_files(folder: Path) -> Iterator[Path]:
    """Yield a file for each segment, which is locked while the process of the segment runs."""
    return (each for each in folder.glob(f'*{_LOCK}') if each.name.startswith(_NAMES))


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _segment(lock: Path) -> Path:
    return lock.with_name(lock.name.removesuffix(_LOCK))


def _segment_bytes(lock: Path) -> int:
    try:
        return _segment(lock).stat().st_size
    except FileNotFoundError:
        return 0


def _remove(lock: Path) -> int:
    """Remove a segment and its lock file; return the size, 0 if another user's or gone."""
    size = _segment_bytes(lock)
    try:
        # The lock file last: as long as it is there, the next attempt finds the segment.
        _segment(lock).unlink(missing_ok=True)
        lock.unlink()
    except OSError:
        return 0
    return size


def _is_locked(path: Path) -> bool:
    try:
        with path.open('rb') as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    except FileNotFoundError:
        return False
    return False


def _host(node: Node) -> bytes:
    """Return the part of the node's gids that identifies the host; b'' with other middlewares."""
    own = (node.get_name(), node.get_namespace())
    for each in node.get_publishers_info_by_topic('/parameter_events'):
        gid = bytes(each.endpoint_gid)
        if (each.node_name, each.node_namespace) == own and gid.startswith(_FAST_DDS):
            return gid[:_HOST_BYTES]
    return b''


def _user_name(uid: int) -> str:
    try:
        return f'user {pwd.getpwuid(uid).pw_name}'
    except KeyError:
        return f'user {uid}'
