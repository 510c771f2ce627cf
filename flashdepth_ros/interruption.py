"""Handle SIGTERM like Ctrl-C: stop at once, or after the current step is finished."""

from collections.abc import Callable, Iterable
import signal
from types import FrameType, TracebackType
from typing import Any, TypeVar

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


def termination_as_interrupt() -> _SignalHandler:
    """Raise KeyboardInterrupt on SIGTERM and SIGHUP; leave ignored signals (nohup) ignored."""
    requests = (signal.SIGTERM, signal.SIGHUP)
    unhandled = (number for number in requests if signal.getsignal(number) is signal.SIG_DFL)
    return _SignalHandler(unhandled, signal.default_int_handler)


class Interruption(_SignalHandler):
    """A context manager that sets `requested` on SIGTERM and Ctrl-C."""

    def __init__(self) -> None:
        super().__init__((signal.SIGTERM, signal.SIGINT), self._request)
        self.requested = False

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True
