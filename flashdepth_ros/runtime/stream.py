"""The state of one stream, and its frames in flight: launched, and not known to be finite."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
import time

from flashdepth_ros.runtime.depth_frame import PendingFrame
from flashdepth_ros.runtime.engines.engine import Engine, EngineState
from flashdepth_ros.runtime.sequence import ResetReason, Sequence
from flashdepth_ros.runtime.transfer import Array, Download

_FAILURES = (RuntimeError, MemoryError)


class FrameStream:
    """
    Runs the frames of one stream in order, without waiting for the depth of one before the next.

    Whether a frame is finite is known when its depth arrives. If it is not, it is repeated without
    the state, in a new sequence, and so are the frames in flight after it: each result is the same
    as if it had been waited for.

    :param temporal: False: run every frame without the state.
    """

    def __init__(self, engine: Engine, sequence: Sequence, temporal: bool) -> None:
        self.engine, self.sequence, self.temporal = engine, sequence, temporal
        self.transfer = engine.create_transfer()
        self._is_only_stream = True
        self._state: EngineState | None = None
        self._in_flight: deque[PendingFrame] = deque()

    @property
    def state(self) -> EngineState | None:
        """The state that the next frame continues from; None: it starts a sequence."""
        return self._state

    @property
    def ahead(self) -> int:
        """Number of further frames to submit before the result of a frame is requested."""
        return self.transfer.ahead

    def run(self, frame: Array) -> tuple[Array, EngineState | None]:
        """Run the network on a frame (1, 1, 3, h, w); do not use the stream's state again."""
        return self.engine.run(frame, self._state, reuse_state=self._is_only_stream)

    def launch(self, pending: PendingFrame, prediction: Array, state: EngineState | None) -> None:
        """
        Start to download what the network makes of a prepared frame.

        :param prediction: inverse depth (1, 1, h, w) that the engine returned for the frame.
        :param state: the stream's state after the frame.
        """
        self._launch(pending, prediction, state)
        if pending.error is not None:
            self.sequence.request_reset(ResetReason.NON_FINITE)

    def _launch(self, pending: PendingFrame, prediction: Array, state: EngineState | None) -> None:
        start_s = time.perf_counter()
        pending.inference_s = start_s - pending.launched_s
        pending.prediction = prediction
        self._state = state if self.temporal else None
        try:
            pending.download = self._download(pending)
        except _FAILURES as error:
            self._fail(pending, error)
            return
        pending.postprocess_s = time.perf_counter() - start_s
        self._in_flight.append(pending)

    def _download(self, pending: PendingFrame) -> Download:
        unproven = () if self._state is None else self._state.unproven_parts()
        return self.transfer.download(pending.inverse_depth, pending.size, unproven)

    def _fail(self, pending: PendingFrame, error: Exception) -> None:
        pending.error, self._state = error, None

    def _finish(self, pending: PendingFrame) -> None:
        """Find out whether a frame is finite, after those before it; repeat it if it is not."""
        while pending in self._in_flight:
            self._finish_first()

    def _finish_all_but(self, count: int) -> None:
        """Finish the oldest frames in flight; each of the others continues from the one before."""
        while len(self._in_flight) > count:
            self._finish_first()

    def _finish_first(self) -> None:
        first, start_s = self._in_flight.popleft(), time.perf_counter()
        assert first.download is not None
        try:
            finite = first.download.is_finite()
            first.inference_s += time.perf_counter() - start_s
            if finite:
                return
            later, failed = self._take_in_flight(), self._repeat(first)
        except _FAILURES as error:
            self._fail(first, error)
            later, failed = self._take_in_flight(), True
        self._repeat_later(later, failed)

    def _take_in_flight(self) -> deque[PendingFrame]:
        later, self._in_flight = self._in_flight, deque()
        return later

    def _repeat(self, first: PendingFrame) -> bool:
        """
        Repeat a non-finite frame without the state, in a new sequence.

        :return: whether it was the first one of a sequence already, which is to end then.
        """
        started = bool(first.position.reset_reason)
        self._state = None
        self.sequence.rewind(first.position)
        if not started:
            first.position = self.sequence.restart(ResetReason.NON_FINITE)
            first.prediction = self._infer(first.frame)
            first.download = self._download(first)
            if first.download.is_finite():
                return False
            self._state = None
        first.prediction = self.transfer.with_nan(first.prediction)
        first.download = self._download(first)
        return started

    def _repeat_later(self, later: Iterable[PendingFrame], failed: bool) -> None:
        """Repeat the frames after a repeated one; if it has failed, in a new sequence."""
        for pending in later:
            reason = ResetReason.NON_FINITE if failed else pending.position.reset_reason
            pending.position = self.sequence.continue_or_restart(reason)
            if reason:
                self._state = None
            try:
                self._launch(pending, *self.run(pending.frame))
            except _FAILURES as error:
                self._fail(pending, error)
            failed = pending.error is not None
        if failed:
            self.sequence.request_reset(ResetReason.NON_FINITE)

    def _infer(self, frame: Array) -> Array:
        prediction, state = self.run(frame)
        self._state = state if self.temporal else None
        return prediction
