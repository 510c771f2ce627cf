"""Compiled networks on disk: each compiled once on a machine, by a process of its own."""

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
from flashdepth_ros.runtime.engines.processor import description
from flashdepth_ros.runtime.weights import cache_folder

KEPT = 16
"""Files that stay on disk; the one used longest ago goes first."""

FRAMES = 'frames'
"""Name, beside those of the weights, of the frames (B, T, 3, H, W) to calibrate by."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kind:
    """What one compiled network is for, beside its weights."""

    shape: tuple[int, ...]
    """Of the frames, (B, T, 3, H, W)."""
    precision: str
    device: str
    """As OpenVINO names it: 'CPU' or 'GPU'."""


class ModelStore:
    """
    Compiled forms of one model, in the user's cache.

    :param model: left as it is; its weights are not to change.
    :param compiler: name and version of what compiles.
    """

    def __init__(self, model: FlashDepth, compiler: str) -> None:
        self.folder = cache_folder() / 'compiled'
        self._name = model.config.name
        self._weights = {name: entry.contiguous() for name, entry in model.state_dict().items()}
        self._key = f'{compiler}, flashdepth_ros {__version__}, {description()}, '
        self._key += fingerprint(self._weights)

    def path(self, kind: Kind) -> Path:
        """Return where the compiled network lies, or will; all that decides is in its name."""
        digest = hashlib.sha256(f'{kind}, {self._key}'.encode()).hexdigest()[:16]
        size = 'x'.join(str(side) for side in (kind.shape[4], kind.shape[3]))
        return self.folder / f'{self._name}-{size}-{kind.precision}-{digest}.blob'

    def start(self, kind: Kind, frames: list[Tensor]) -> 'Compilation':
        """
        Start to compile, beside whatever runs; `frames` to calibrate by, where it is int8.

        :raises OSError: the cache cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(kind)
        weights = path.with_suffix(f'.{os.getpid()}.safetensors')
        given = {FRAMES: torch.cat(frames, dim=1)} if kind.precision == 'int8' else {}
        try:
            save_file(self._weights | given, weights)
        except SafetensorError as error:  # a full disk, say
            weights.unlink(missing_ok=True)
            raise OSError(f'{weights} cannot be written: {error}') from error
        _LOG.info('compiling %s', path.name)
        words = (self._name, str(weights), str(path), kind.device, kind.precision)
        module = 'flashdepth_ros.runtime.engines.compiler'
        shape = (str(side) for side in kind.shape)
        said = weights.with_suffix('.log')  # a pipe that nobody reads would fill up and hold it
        with said.open('wb') as log:
            process = subprocess.Popen(
                [sys.executable, '-m', module, *words, *shape],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        return Compilation(process, path, weights, said)

    def used(self, path: Path) -> None:
        """Note that a file is of use, and let go of those that have not been for longest."""
        with suppress(OSError):  # a cache may be there to be read only
            path.touch()
            files = sorted(self.folder.glob('*.blob'), key=_age)
            for each in files[: max(0, len(files) - KEPT)]:
                each.unlink(missing_ok=True)


@dataclass
class Compilation:
    """A network that is being compiled; killed with `end`."""

    process: 'subprocess.Popen[bytes]'
    path: Path
    weights: Path
    said: Path

    @property
    def done(self) -> bool:
        """Whether it came to an end, good or bad."""
        return self.process.poll() is not None

    def finish(self) -> None:
        """
        Wait for the end.

        :raises FlashDepthError: nothing came of it; the message is the compiler's own.
        """
        status = self.process.wait()
        said = self.said.read_text(errors='replace').strip().splitlines()
        self._clean_up()
        if status:
            last = said[-1] if said else f'status {status}'
            raise FlashDepthError(f'{self.path.stem} could not be compiled: {last}')

    def end(self) -> None:
        """Stop it where it still runs."""
        self.process.kill()
        self.process.wait()
        self._clean_up()

    def _clean_up(self) -> None:
        partial = self.path.with_suffix(f'.{self.process.pid}.partial')
        for path in (self.weights, self.said, partial):
            path.unlink(missing_ok=True)


def fingerprint(weights: dict[str, Tensor]) -> str:
    """Return a digest of names and numbers."""
    digest = hashlib.sha256()
    for name, entry in sorted(weights.items()):
        digest.update(name.encode())
        digest.update(entry.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process let go of it
        return 0.0
