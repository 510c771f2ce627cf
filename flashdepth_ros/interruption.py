"""Handle the signals that end a process: at once, as Ctrl-C, or after the current step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
import os
import signal
from types import FrameType, TracebackType
from typing import Any, TypeVar

INTERRUPTED_STATUS = 130
"""The exit status of a process that was interrupted."""

_Self = TypeVar('_Self', bound='_SignalHandler')


class _SignalHandler:
    """A context manager that installs `handler` for signals and restores the previous ones."""

    def __init__(
        self, numbers: Iterable[signal.Signals], handler: Callable[[int, FrameType | None], Any]
    ) -> None:
        self._numbers, self._handler = tuple(numbers), handler

    def __enter__(self: _Self) -> _Self:
        self._previous = {number: signal.signal(number, self._handler) for number in self._numbers}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)


def end_at_interrupt() -> None:
    """
    Let Ctrl-C end this process at once, unless it is ignored; for a process that only starts.

    Modules that are being imported can swallow a KeyboardInterrupt or turn it into another error.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def _end(_number: int, _frame: FrameType | None) -> None:
    os.write(2, b'interrupted\n')
    os._exit(INTERRUPTED_STATUS)


def termination_as_interrupt() -> _SignalHandler:
    """Raise KeyboardInterrupt on SIGINT, SIGTERM and SIGHUP; leave ignored signals ignored."""
    requests = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    started = (signal.SIG_DFL, _end)
    unhandled = [number for number in requests if signal.getsignal(number) in started]
    return _SignalHandler(unhandled, signal.default_int_handler)


@contextmanager
def children_without_interrupt() -> Iterator[None]:
    """Block Ctrl-C in the child processes that start in this block; their parent ends them."""
    from multiprocessing import resource_tracker

    # Where it starts, together with the first child of multiprocessing, it unblocks Ctrl-C.
    resource_tracker.ensure_running()
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


class Interruption(_SignalHandler):
    """A context manager that sets `requested` on SIGTERM and Ctrl-C."""

    def __init__(self) -> None:
        super().__init__((signal.SIGTERM, signal.SIGINT), self._request)
        self.requested = False

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True
