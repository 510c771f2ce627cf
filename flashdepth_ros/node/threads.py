"""The threads of the node: no exception ends them, and none of them keeps the process alive."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
import math
from threading import Thread
from threading import enumerate as running_threads
import time
from typing import Generic, TypeVar

from flashdepth_ros.node.mailbox import Mailbox

Item = TypeVar('Item')
Result = TypeVar('Result')
Wait = Callable[[Callable[[], bool]], bool]
"""Waits for a condition; returns whether it is met."""

_POLL_S = 0.01
_LEAST_S = 0.1


class Patience:
    """
    Waits for conditions, for a limited time altogether. Signals are handled meanwhile.

    :param ends: whether the process is to end: then wait for `after_end_s` at most.
    """

    def __init__(
        self,
        timeout_s: float = math.inf,
        ends: Callable[[], bool] = lambda: False,
        after_end_s: float = 0.0,
    ) -> None:
        self._deadline_s = time.monotonic() + timeout_s
        self._ends, self._after_end_s = ends, after_end_s

    def __call__(self, condition: Callable[[], bool]) -> bool:
        """Wait for a condition; return whether it is met."""
        least_s = time.monotonic() + _LEAST_S
        while not condition():
            now_s = time.monotonic()
            if self._ends():
                self._deadline_s = min(self._deadline_s, now_s + self._after_end_s)
            if now_s >= max(self._deadline_s, least_s):
                return False
            time.sleep(_POLL_S)
        return True


class NodeThread(Thread):
    """A daemon thread of the node."""

    def __init__(self, name: str, target: Callable[[], None]) -> None:
        super().__init__(name=name, target=target, daemon=True)

    @staticmethod
    def any_running() -> bool:
        """Return whether a thread of this kind runs."""
        return any(isinstance(each, NodeThread) for each in running_threads())


def run_in_thread(name: str, function: Callable[[], Result]) -> Future[Result]:
    """Start a thread that calls a function; return its future result or exception."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 - it is the result
            future.set_exception(error)

    NodeThread(name, run).start()
    return future


@dataclass(frozen=True)
class Progress:
    """What a thread is doing."""

    name: str
    alive: bool
    started: int
    """The number of items that it has started to process."""
    busy: bool
    """Whether it is processing one."""


class ProcessingThread(Generic[Item]):
    """
    Processes the newest item of its mailbox, one after another, until the mailbox is closed.

    :param name: of the thread, in messages and in `top`.
    :param failed: called with the exception, of any type, that `process` raised.
    """

    def __init__(
        self,
        name: str,
        process: Callable[[Item], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self.mailbox: Mailbox[Item] = Mailbox()
        self._name, self._process, self._failed = name, process, failed
        self._thread = NodeThread(name, self._run)

    @property
    def progress(self) -> Progress:
        """What the thread is doing now."""
        mailbox = self.mailbox
        return Progress(self._name, self._thread.is_alive(), mailbox.taken, mailbox.busy)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def has_ended(self) -> bool:
        """Return whether the thread has ended."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            try:
                item = self.mailbox.take()
                if item is None:
                    return
                self._process(item)
            except BaseException as error:  # noqa: BLE001 - nothing may end the thread
                with suppress(BaseException):
                    self._failed(error)
