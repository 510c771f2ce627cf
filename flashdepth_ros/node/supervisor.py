"""Keeps a worker running while the node is active: replaces one that has ended or hangs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
import math
import time

from rclpy.impl.rcutils_logger import RcutilsLogger

from flashdepth_ros.entry_point import describe
from flashdepth_ros.node.threads import Patience, Wait, run_in_thread
from flashdepth_ros.node.watchdog import Fault, Watchdog
from flashdepth_ros.node.worker import Worker
from flashdepth_ros.runtime import DepthEstimator, ResetReason

Estimators = tuple[DepthEstimator, ...]
"""Of each camera, in the order of the cameras."""
_END_S = 1.0
_SHOWN_S = 10.0
"""A fault is shown for this time after it was repaired."""


class Supervisor:
    """
    Owns the estimators of all cameras and, while the node is active, their worker.

    `check` must be called about once a second. A thread that hangs inside a call cannot be ended
    from outside. It is left behind with its estimators, and the new worker gets estimators that
    are loaded again, in a thread of their own.

    :param create: return a worker for estimators.
    :param load: return other estimators for the same parameters.
    """

    def __init__(
        self,
        create: Callable[[Estimators], Worker],
        load: Callable[[], Estimators],
        logger: RcutilsLogger,
    ) -> None:
        self.estimators: Estimators = ()
        """Empty while no model is loaded, or while a thread that was left behind uses them."""
        self.worker: Worker | None = None
        """None while the node is not active, and while the model is loaded again."""
        self._create, self._load, self._logger = create, load, logger
        self._watchdog = Watchdog()
        self._loading: Future[Estimators] | None = None
        self._loading_since_s = 0.0
        self._fault, self._shown_until_s = '', 0.0
        self._stalled = False
        self._stopped_s = -math.inf

    @property
    def running(self) -> bool:
        """Whether images are processed, or will be when the model is loaded again."""
        return self.worker is not None or self._loading is not None

    @property
    def fault(self) -> str:
        """What is wrong with a thread, now or a few seconds ago; '' if nothing is."""
        return self._fault if time.monotonic() < self._shown_until_s else ''

    def start(self) -> None:
        """
        Start a worker.

        The first image of a camera starts a new sequence, unless the last worker was stopped
        within the time that may pass between two images of a sequence.
        """
        pause_s = time.monotonic() - self._stopped_s
        for estimator in self.estimators:
            if pause_s > (estimator.sequence.policy.max_gap_s or math.inf):
                estimator.reset(ResetReason.FIRST_FRAME)
        self._watchdog, self._stalled = Watchdog(), False
        self.worker = self._create(self.estimators)
        self.worker.start()

    def stop(self, wait: Wait) -> bool:
        """
        Stop the worker if there is one; give up its estimators if they remain in use.

        :return: False: its thread is still inside a call and is left behind.
        """
        worker, self.worker, self._loading = self.worker, None, None
        self._show('', 0.0)
        if worker is not None:
            self._stopped_s = time.monotonic()
        ended = worker is None or worker.stop(wait)
        if not ended:
            self.estimators = ()
        return ended

    def check(self) -> None:
        """Report a worker that has ended or hangs, and start another one if that can help."""
        if self._loading is not None:
            self._finish_loading(self._loading)
        elif self.worker is not None:
            fault = self._watchdog.check(self.worker.progress, time.monotonic())
            if fault is not None and fault.needs_new_thread:
                self._replace(fault)
            else:
                self._report(fault)

    def _report(self, fault: Fault | None) -> None:
        """Log a thread that hangs, once, and that it goes on."""
        if fault is not None:
            self._show(fault.text)
            if not self._stalled:
                self._logger.error(fault.text)
        elif self._stalled:
            self._show('', 0.0)
            self._logger.info('the thread goes on')
        self._stalled = fault is not None

    def _replace(self, fault: Fault) -> None:
        self._logger.error(f'{fault.text}: starting a new one')
        if self.stop(Patience(_END_S)):
            self._show(f'{fault.text}: a new one was started')
            self._restart(lambda: self.estimators)
        else:
            self._show(f'{fault.text}: it is left behind, the model is loaded again')
            self._loading = run_in_thread('loading', self._load)
            self._loading_since_s = time.monotonic()

    def _finish_loading(self, loading: Future[Estimators]) -> None:
        """Start a worker with the estimators if they are loaded."""
        if not loading.done():
            loading_s = time.monotonic() - self._loading_since_s
            self._show(
                f'the inference thread has hung, the model is loaded again for {loading_s:.0f} s: '
                'if this does not end, restart the node'
            )
            return
        self._loading = None
        self._restart(loading.result)

    def _restart(self, load: Callable[[], Estimators]) -> None:
        """Start a worker again; if that fails, the node cannot go on."""
        try:
            self.estimators, self._stopped_s = load(), -math.inf
            self.start()
            self._logger.info('a new inference thread was started')
        except Exception as error:  # noqa: BLE001 - of any type, also from loading
            self.worker = None
            text = f'no new inference thread: {describe(error)}; restart the node'
            self._show(text, math.inf)
            self._logger.error(text)

    def _show(self, text: str, duration_s: float = _SHOWN_S) -> None:
        self._fault, self._shown_until_s = text, time.monotonic() + duration_s
