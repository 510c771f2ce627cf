"""Processes started here, which never outlive the block that started them."""

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
    One child process, a context manager; what it says goes to a file.

    At the end of the block it gets a SIGINT, as from Ctrl-C, and is killed if that does not end
    it. It has a session of its own, so that the terminal's Ctrl-C reaches it once and from here.
    """

    converses = False
    """Whether it is spoken with by standard input and output; the file gets its complaints."""

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
                stdin=subprocess.PIPE if self.converses else subprocess.DEVNULL,
                stdout=subprocess.PIPE if self.converses else log,
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
            # Whatever interrupts the waiting, nothing is left behind.
            child.kill()
            child.communicate()

    def has_ended(self) -> bool:
        """
        Return whether it ended, and ended well.

        :raises FlashDepthError: it ended with a status other than 0; with its last lines.
        """
        status = self._running.poll()
        if status:
            raise FlashDepthError(f'{self.name} ended with status {status}: {self.last_lines()}')
        return status is not None

    def check_alive(self) -> None:
        """Raise FlashDepthError, with its last lines, if it ended in whatever way."""
        if self.has_ended():
            raise FlashDepthError(f'{self.name} ended too early: {self.last_lines()}')

    def last_lines(self) -> str:
        """Return the end of what it said."""
        lines = self._log.read_text(encoding='utf-8', errors='replace').splitlines()
        return '\n  '.join(['', *lines[-_LINES:]]) if lines else 'it said nothing'

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            raise FlashDepthError(f"{self.name}: is not started; use it as in 'with Process(...)'")
        return self._child
