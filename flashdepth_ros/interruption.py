"""Ending by SIGTERM as by Ctrl-C: at once, or once the step at hand is finished and kept."""

from collections.abc import Callable, Iterable
import signal
from types import FrameType, TracebackType
from typing import Any, TypeVar

_Entered = TypeVar('_Entered', bound='_Handling')


class _Handling:
    """While entered, `handler` serves the signals; those before serve them again afterwards."""

    def __init__(
        self, numbers: Iterable[signal.Signals], handler: Callable[[int, FrameType | None], Any]
    ) -> None:
        self._numbers, self._handler = tuple(numbers), handler

    def __enter__(self: _Entered) -> _Entered:
        self._before = {number: signal.signal(number, self._handler) for number in self._numbers}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def ending_tidily() -> _Handling:
    """Let a request to terminate, and a terminal that closes, end as Ctrl-C does; not so nohup."""
    requests = (signal.SIGTERM, signal.SIGHUP)
    unhandled = (number for number in requests if signal.getsignal(number) is signal.SIG_DFL)
    return _Handling(unhandled, signal.default_int_handler)


class Interruption(_Handling):
    """While entered, turns SIGTERM and Ctrl-C into `requested`."""

    def __init__(self) -> None:
        super().__init__((signal.SIGTERM, signal.SIGINT), self._request)
        self.requested = False

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True
