"""Asking a run to stop: SIGTERM or Ctrl-C let it finish its step and keep what is done."""

import signal
from types import FrameType, TracebackType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


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
