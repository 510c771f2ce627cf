"""Ending by SIGTERM as by Ctrl-C: at once, or once the step at hand is finished and kept."""

from collections.abc import Iterator
from contextlib import contextmanager
import signal
from types import FrameType, TracebackType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def ending_tidily() -> Iterator[None]:
    """Let a request to terminate, and a terminal that closes, end as Ctrl-C does; not so nohup."""
    requests = [
        number
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is signal.SIG_DFL
    ]
    for number in requests:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in requests:
            signal.signal(number, signal.SIG_DFL)


class Interruption:
    """While entered, turns the signals into `requested`."""

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> 'Interruption':
        self._before = {number: signal.signal(number, self._request) for number in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True
