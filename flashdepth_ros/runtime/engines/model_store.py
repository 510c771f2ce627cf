"""The cache of compiled networks on disk; it is only a cache: without it, all else works."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
import hashlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from flashdepth_ros import __version__
from flashdepth_ros.runtime.engines.processor import cpu_description
from flashdepth_ros.runtime.weights import cache_folder

if TYPE_CHECKING:
    from torch import Tensor

MAX_FILES = 16
"""Maximum number of files in the cache; the least recently used is deleted."""

_FORMAT = 'SHA-256 and network'
_DIGEST_BYTES = hashlib.sha256().digest_size
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class CompilationTarget:
    """The shape, precision and device that a network is compiled for."""

    shape: tuple[int, ...]
    """Shape of the frames, (B, T, 3, H, W)."""
    precision: str
    device: str
    """OpenVINO's name: 'CPU' or 'GPU'."""


class ModelStore:
    """
    The compiled networks of one model in the user's cache.

    No error of the file system is raised: what cannot be read is not there, and what cannot be
    written is reported once.

    :param name: of the preset.
    :param contents: a digest of the weights, as from `fingerprint`.
    :param compiler: name and version of the compiler.
    """

    def __init__(self, name: str, contents: str, compiler: str) -> None:
        self._name = name
        self._key = f'{compiler}, flashdepth_ros {__version__}, {_FORMAT}, {cpu_description()}, '
        self._key += contents
        self._unusable: set[CompilationTarget] = set()
        self._reported = False

    def read(self, target: CompilationTarget) -> bytes | None:
        """Return a compiled network; None if there is none. A damaged file is deleted."""
        path = self._path(target)
        if path is None or target in self._unusable:
            return None
        try:
            with path.open('rb') as file:
                digest, network = file.read(_DIGEST_BYTES), file.read()
        except OSError:
            return None
        if hashlib.sha256(network).digest() != digest:
            self.discard(target, 'is damaged')
            return None
        self._mark_used(path)
        return network

    def write(self, target: CompilationTarget, network: bytes) -> None:
        """Store a compiled network for later starts; report once if that is not possible."""
        path = self._path(target)
        if path is None:
            self._report('stored: this user has no home folder')
            return
        partial = path.with_suffix(f'.{os.getpid()}.partial')
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open('wb') as file:
                file.write(hashlib.sha256(network).digest())
                file.write(network)
            partial.replace(path)
        except OSError as error:
            self._report(f'stored in {path.parent}: {error.strerror}')
            with suppress(OSError):
                partial.unlink()
        else:
            self._unusable.discard(target)
            self._mark_used(path)

    def discard(self, target: CompilationTarget, reason: str) -> None:
        """Delete a file that cannot be used; if it cannot be deleted, do not read it again."""
        path = self._path(target)
        _LOG.warning('%s %s; compiling it again', path, reason)
        self._unusable.add(target)
        with suppress(OSError):
            if path is not None:
                path.unlink()

    def _path(self, target: CompilationTarget) -> Path | None:
        """Return the path of a compiled network, which contains a hash of all its inputs."""
        cache = cache_folder()
        if cache is None:
            return None
        digest = hashlib.sha256(f'{target}, {self._key}'.encode()).hexdigest()[:16]
        size = 'x'.join(str(side) for side in (target.shape[4], target.shape[3]))
        return cache / 'compiled' / f'{self._name}-{size}-{target.precision}-{digest}.blob'

    def _mark_used(self, path: Path) -> None:
        """Mark a file as recently used, and delete the least recently used beyond the maximum."""
        with suppress(OSError):  # the cache may be read-only
            path.touch()
            files = sorted(path.parent.glob('*.blob'), key=_modified_s)
            for each in files[: max(0, len(files) - MAX_FILES)]:
                each.unlink(missing_ok=True)

    def _report(self, reason: str) -> None:
        if not self._reported:
            self._reported = True
            _LOG.warning(
                'the compiled network cannot be %s. Every start compiles it again, unless '
                'XDG_CACHE_HOME is set to a writable folder',
                reason,
            )


def fingerprint(weights: dict[str, Tensor]) -> str:
    """Return a digest of names and values."""
    digest = hashlib.sha256()
    for name, entry in sorted(weights.items()):
        digest.update(name.encode())
        digest.update(entry.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()


def _modified_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process deleted it
        return 0.0
