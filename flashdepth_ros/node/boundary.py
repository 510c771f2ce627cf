"""Where exceptions end: each is logged in one line, and the thread or the node goes on."""

from __future__ import annotations

from collections.abc import Callable
import math
import time
from typing import Any, TypeVar

from rclpy.impl.rcutils_logger import RcutilsLogger

from flashdepth_ros.entry_point import describe, print_requested_traceback

WARN_EVERY_S = 5.0
Result = TypeVar('Result')


class Boundary:
    """
    Logs exceptions of any type.

    :param every_s: the same failure is logged at most once in this time.
    """

    def __init__(self, logger: RcutilsLogger, every_s: float = WARN_EVERY_S) -> None:
        self._logger, self._every_s = logger, every_s
        self._logged_s: dict[tuple[str, type], float] = {}

    def report(self, what: str, error: BaseException) -> None:
        """
        Log what failed, and the type and the reason of the exception.

        :param what: such as 'inference failed'.
        """
        failure, now_s = (what, type(error)), time.monotonic()
        if now_s - self._logged_s.get(failure, -math.inf) < self._every_s:
            return
        self._logged_s[failure] = now_s
        print_requested_traceback(error)
        self._logger.error(f'{what}: {describe(error)}')

    def guard(
        self,
        what: str,
        callback: Callable[..., Result],
        fallback: Callable[..., Result],
    ) -> Callable[..., Result]:
        """
        Return a callback that never raises.

        :param fallback: called with the exception and the arguments if `callback` raises.
        """

        def call(*arguments: Any) -> Result:
            try:
                return callback(*arguments)
            except Exception as error:  # noqa: BLE001 - the caller must not end
                self.report(what, error)
                return fallback(error, *arguments)

        return call
