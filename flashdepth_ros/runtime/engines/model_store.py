"""The cache of compiled networks on disk; each is compiled once, in a separate process."""

from contextlib import suppress
from dataclasses import dataclass
import hashlib
import logging
import os
from pathlib import Path
import subprocess
import sys

from safetensors import SafetensorError
from safetensors.torch import save_file
import torch
from torch import Tensor

from flashdepth_ros import __version__
from flashdepth_ros.errors import FlashDepthError
from flashdepth_ros.network import FlashDepth
from flashdepth_ros.runtime.engines.processor import cpu_description
from flashdepth_ros.runtime.weights import cache_folder

MAX_FILES = 16
"""Maximum number of files in the cache; the least recently used is deleted."""

FRAMES_KEY = 'frames'
"""Key of the calibration frames (B, T, 3, H, W) in the file with the weights."""

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

    :param model: is not modified; its weights must not change.
    :param compiler: name and version of the compiler.
    """

    def __init__(self, model: FlashDepth, compiler: str) -> None:
        self.folder = cache_folder() / 'compiled'
        self._name = model.config.name
        self._weights = {name: entry.contiguous() for name, entry in model.state_dict().items()}
        self._key = f'{compiler}, flashdepth_ros {__version__}, {cpu_description()}, '
        self._key += fingerprint(self._weights)

    def path(self, target: CompilationTarget) -> Path:
        """Return the path of a compiled network, which contains a hash of all its inputs."""
        digest = hashlib.sha256(f'{target}, {self._key}'.encode()).hexdigest()[:16]
        size = 'x'.join(str(side) for side in (target.shape[4], target.shape[3]))
        return self.folder / f'{self._name}-{size}-{target.precision}-{digest}.blob'

    def start(self, target: CompilationTarget, frames: list[Tensor]) -> 'Compilation':
        """
        Start to compile in the background; `frames` calibrate int8.

        :raises OSError: the cache is not writable.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(target)
        weights = path.with_suffix(f'.{os.getpid()}.safetensors')
        calibration = {}
        if target.precision == 'int8':
            calibration = {FRAMES_KEY: torch.cat(frames, dim=1)}
        try:
            save_file(self._weights | calibration, weights)
        except SafetensorError as error:  # such as a full disk
            weights.unlink(missing_ok=True)
            raise OSError(f'cannot write {weights}: {error}') from error
        _LOG.info('compiling %s', path.name)
        options = (self._name, str(weights), str(path), target.device, target.precision)
        module = 'flashdepth_ros.runtime.engines.compiler'
        shape = (str(side) for side in target.shape)
        # A file, because an unread pipe could fill up and block the process.
        log_path = weights.with_suffix('.log')
        with log_path.open('wb') as log:
            process = subprocess.Popen(
                [sys.executable, '-m', module, *options, *shape],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        return Compilation(process, path, weights, log_path)

    def mark_used(self, path: Path) -> None:
        """Mark a file as recently used, and delete the least recently used beyond the maximum."""
        with suppress(OSError):  # the cache may be read-only
            path.touch()
            files = sorted(self.folder.glob('*.blob'), key=_modified_s)
            for each in files[: max(0, len(files) - MAX_FILES)]:
                each.unlink(missing_ok=True)


@dataclass
class Compilation:
    """A running compilation."""

    process: 'subprocess.Popen[bytes]'
    path: Path
    weights: Path
    log_path: Path

    @property
    def done(self) -> bool:
        """Whether the process has ended, with or without success."""
        return self.process.poll() is not None

    def finish(self) -> None:
        """
        Wait for the process to end.

        :raises FlashDepthError: it failed; the message contains that of the compiler.
        """
        status = self.process.wait()
        log = self.log_path.read_text(errors='replace').strip().splitlines()
        self._clean_up()
        if status:
            message = log[-1] if log else f'exit status {status}'
            raise FlashDepthError(f'compilation of {self.path.stem} failed: {message}')

    def kill(self) -> None:
        """Kill the process if it still runs, and delete its files."""
        self.process.kill()
        self.process.wait()
        self._clean_up()

    def _clean_up(self) -> None:
        partial = self.path.with_suffix(f'.{self.process.pid}.partial')
        for path in (self.weights, self.log_path, partial):
            path.unlink(missing_ok=True)


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
