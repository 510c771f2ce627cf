"""
Compile a network in a separate process.

The weights, the result and the log are in memory files, so no folder needs to be writable, and
nothing is left behind by a process that is killed.
"""

from collections.abc import Mapping
import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import IO

import torch
from torch import Tensor

from flashdepth_ros.errors import FlashDepthError
from flashdepth_ros.runtime.engines.model_store import CompilationTarget

FRAMES_KEY = 'frames'
"""Key of the calibration frames (B, T, 3, H, W) among the weights."""
LIMIT_S = 1800.0
"""A compilation that takes longer has most likely stopped; it usually takes ten seconds."""
PROGRAM = (sys.executable, '-m', 'flashdepth_ros.runtime.engines.compiler')


class Compilation:
    """
    A running compilation.

    :param name: name of the preset.
    :param entries: the weights, and for int8 the calibration frames under `FRAMES_KEY`.
    :raises OSError: the process cannot be started, or there is no memory for its files.
    """

    def __init__(
        self, name: str, target: CompilationTarget, entries: Mapping[str, Tensor]
    ) -> None:
        self._start_s = time.monotonic()
        self._result, self._log = _memory_file(), _memory_file()
        output = self._result.fileno()
        shape = (str(side) for side in target.shape)
        with _memory_file() as weights:
            torch.save(dict(entries), weights)
            weights.seek(0)
            self._process = subprocess.Popen(
                [*PROGRAM, name, str(output), target.device, target.precision, *shape],
                stdin=weights,
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                pass_fds=(output,),
            )

    @property
    def running_s(self) -> float:
        """Return the time since the start."""
        return time.monotonic() - self._start_s

    def wait(self, timeout_s: float) -> bool:
        """Wait until the process ends, at most so long; return whether it has ended."""
        try:
            self._process.wait(min(timeout_s, max(0.0, LIMIT_S - self.running_s)))
        except subprocess.TimeoutExpired:
            return self.running_s > LIMIT_S
        return True

    def finish(self) -> bytes:
        """
        Return the compiled network of a process for which `wait` returned True.

        :raises FlashDepthError: it failed; the message contains that of the compiler.
        """
        status = self._process.poll()
        if status is None:
            self.kill()
            raise FlashDepthError(f'the compiler did not finish in {LIMIT_S:.0f} s')
        with self._result as result, self._log as log:
            log.seek(0)
            lines = log.read().decode(errors='replace').strip().splitlines()
            if status:
                raise FlashDepthError(f'the compiler {_failure(status, lines)}')
            result.seek(0)
            return result.read()

    def kill(self) -> None:
        """Kill the process if it still runs."""
        self._process.kill()
        self._process.wait()
        self._result.close()
        self._log.close()


def _memory_file() -> IO[bytes]:
    """Return a file in memory without a name, or a temporary file where there is none."""
    try:
        return os.fdopen(os.memfd_create('flashdepth'), 'w+b')
    except (AttributeError, OSError):  # not Linux, or not allowed
        return tempfile.TemporaryFile()


def _failure(status: int, lines: list[str]) -> str:
    if status == -signal.SIGKILL:
        return 'was killed, most likely because memory ran out'
    if status < 0:
        return f'was ended by {signal.Signals(-status).name}'
    return f'failed: {lines[-1]}' if lines else f'failed with exit status {status}'
