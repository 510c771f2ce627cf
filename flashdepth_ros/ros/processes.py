"""Child processes that end with the block that started them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
import signal
import subprocess
from types import TracebackType
from typing import TypeVar

from flashdepth_ros.errors import FlashDepthError

Started = TypeVar('Started', bound='Process')

END_S = 5.0
_LINES = 8


class Process:
    """
    A child process as a context manager; its output goes to a file.

    At the end of the block it gets SIGINT, as from Ctrl-C, and is killed if it does not end in
    time. It runs in its own session, so that Ctrl-C in the terminal reaches it only from here.
    """

    uses_pipes = False
    """Whether standard input and output are pipes to this process; the file gets stderr only."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self._command, self._environment, self._log = command, environment, log
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self: Started) -> Started:
        with self._log.open('wb') as log:
            self._child = subprocess.Popen(
                self._command,
                env=dict(self._environment),
                stdin=subprocess.PIPE if self.uses_pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if self.uses_pipes else log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        child = self._running
        try:
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
                child.wait(END_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # Also if waiting is interrupted: no child may be left running.
            child.kill()
            child.communicate()

    def has_ended(self) -> bool:
        """
        Return whether it has ended.

        :raises FlashDepthError: its exit status is not 0; the text gives the last lines.
        """
        status = self._running.poll()
        if status:
            raise FlashDepthError(f'{self.name} ended with status {status}: {self.last_lines()}')
        return status is not None

    def check_alive(self) -> None:
        """
        Check that the process is still running.

        :raises FlashDepthError: it has ended; the text gives the last lines.
        """
        if self.has_ended():
            raise FlashDepthError(f'{self.name} ended too early: {self.last_lines()}')

    def last_lines(self) -> str:
        """Return the last lines of its output."""
        lines = self._log.read_text(encoding='utf-8', errors='replace').splitlines()
        return '\n  '.join(['', *lines[-_LINES:]]) if lines else 'no output'

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            raise FlashDepthError(
                f"{self.name} is not started: use it as a context manager, 'with Process(...)'"
            )
        return self._child
