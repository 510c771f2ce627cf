"""The scale of a stream while it runs: pairs frames with references and tracks the scale."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
import time

from flashdepth_ros.errors import InputError
from flashdepth_ros.runtime.scale.fit import Samples, Scale, ScaleFit
from flashdepth_ros.runtime.scale.reference import Reference
from flashdepth_ros.runtime.scale.settings import ScaleSettings
from flashdepth_ros.runtime.scale.tracker import ScaleTracker
from flashdepth_ros.runtime.scale.view import FrameView

_FRAMES_MAX = 32
_WAITING_MAX = 32
_RUNNING_S = 5.0
"""References are of no use after this time without a frame."""
_AHEAD_S_MAX = 1.0
"""References that are newer than the images by more, and two periods, are of another clock."""


@dataclass(frozen=True)
class Metres:
    """What turns the inverse depth of a frame into metres."""

    scale: Scale | None
    """None: there are no metres yet."""
    jump: float = 1.0
    """The factor by which metres changed at once with this frame; 1: they did not."""


@dataclass(frozen=True)
class ScaleStatus:
    """The state of the scale at one time."""

    scale: Scale | None
    fit: ScaleFit | None
    """The last accepted one; None before."""
    age_s: float
    """Time of the last frame since the last accepted reference; +Inf before."""
    jumps: int
    """How often metres changed at once."""
    problem: str
    """Why the last reference was not used; '' if it was, or if there was none."""


class OnlineScale:
    """
    Fits the scale of a stream of frames to references as both arrive; safe with two threads.

    A reference is compared with the frame of the nearest stamp, and a frame with one reference. It
    waits until a frame is newer, and finds older frames in a history, so it may arrive late.

    :param used: called with the stamp and the samples of each reference that is compared.
    """

    def __init__(self, used: Callable[[int, Samples], None] = lambda *_: None) -> None:
        self._lock, self._used = Lock(), used
        self._tracker = ScaleTracker()
        self._frames: deque[FrameView] = deque(maxlen=_FRAMES_MAX)
        self._waiting: deque[Reference] = deque(maxlen=_WAITING_MAX)
        # The stamps of the frames that a reference was compared with.
        self._compared: deque[int] = deque(maxlen=_FRAMES_MAX)
        self._settings = ScaleSettings()
        self._jump, self._jumps = 1.0, 0
        self._observed_s = -float('inf')
        self._problem = ''

    @property
    def running(self) -> bool:
        """Whether frames are coming, so that references are of use."""
        return time.monotonic() - self._observed_s < _RUNNING_S

    def refuse(self, problem: str) -> None:
        """Record why a reference cannot be used."""
        with self._lock:
            self._problem = problem

    def refer(self, reference: Reference) -> None:
        """Take a reference; it is used when its frame is there."""
        with self._lock:
            self._waiting.append(reference)
            self._pair()

    def observe(self, view: FrameView, starts: bool, settings: ScaleSettings) -> Metres:
        """
        Take a frame, in the order of the stream; return what gives its metres.

        :param starts: whether it starts a new sequence; its scale may differ.
        """
        with self._lock:
            self._settings, self._observed_s = settings, time.monotonic()
            if starts:
                self._restart()
            self._frames.append(view)
            self._pair()
            jump, self._jump = self._jump, 1.0
            return Metres(self._tracker.scale or settings.start_scale, jump)

    @property
    def status(self) -> ScaleStatus:
        """The state after the last frame or reference."""
        with self._lock:
            tracker, age_s = self._tracker, float('inf')
            if tracker.fit is not None and self._frames:
                age_s = max(self._frames[-1].stamp_ns - tracker.stamp_ns, 0) * 1e-9
            return ScaleStatus(tracker.scale, tracker.fit, age_s, self._jumps, self._problem)

    def _restart(self) -> None:
        self._tracker.restart()
        for each in (self._frames, self._waiting, self._compared):
            each.clear()

    def _pair(self) -> None:
        """Use the references whose nearest frame is known."""
        if not self._frames:
            return
        newest_ns = self._frames[-1].stamp_ns
        limit_ns = newest_ns + self._ahead_ns_max()
        ready = [each for each in self._waiting if each.stamp_ns <= newest_ns]
        waiting = [each for each in self._waiting if newest_ns < each.stamp_ns <= limit_ns]
        ahead_s = max((each.stamp_ns - newest_ns for each in self._waiting), default=0) * 1e-9
        if len(ready) + len(waiting) < len(self._waiting):
            self._problem = (
                f'the reference is {ahead_s:.1f} s newer than the images: compare the clocks of '
                'both sensors'
            )
        self._waiting.clear()
        self._waiting.extend(waiting)
        for reference in sorted(ready, key=self._apart_ns):
            try:
                self._use(reference)
            except InputError as error:
                self._problem = str(error)

    def _ahead_ns_max(self) -> int:
        """Return how much newer than the last frame a reference may be: frames arrive late."""
        stamps = [frame.stamp_ns for frame in self._frames]
        period_ns = stamps[-1] - stamps[-2] if len(stamps) > 1 else 0
        return round(_AHEAD_S_MAX * 1e9) + 2 * period_ns

    def _nearest(self, reference: Reference) -> FrameView:
        return min(self._frames, key=lambda frame: abs(frame.stamp_ns - reference.stamp_ns))

    def _apart_ns(self, reference: Reference) -> int:
        return abs(self._nearest(reference).stamp_ns - reference.stamp_ns)

    def _use(self, reference: Reference) -> None:
        """
        Compare a reference with its frame, unless a nearer one has been.

        :raises InputError: it cannot be used, and none has been used for `scale.timeout`.
        """
        stamp_ns, settings = reference.stamp_ns, self._settings
        view, apart_s = self._nearest(reference), self._apart_ns(reference) * 1e-9
        if view.stamp_ns in self._compared:
            return
        if apart_s > settings.scale_tolerance:
            if not stamp_ns:
                raise InputError(
                    'the reference has the stamp 0, as of a driver that sets none: it needs the '
                    'time of its measurement, by the clock of the images'
                )
            age_s = (stamp_ns - self._tracker.stamp_ns) * 1e-9
            if self._tracker.fit is not None and age_s < settings.scale_timeout:
                # A reference of a higher rate than that of the images.
                return
            raise InputError(
                f'no image within {settings.scale_tolerance:g} s of the reference: the nearest is '
                f'{apart_s:.3f} s away (scale.tolerance)'
            )
        self._compared.append(view.stamp_ns)
        samples = reference.samples(view, settings)
        self._used(stamp_ns, samples)
        jump = self._tracker.add(stamp_ns, samples, settings)
        if jump != 1.0:
            self._jump *= jump
            self._jumps += 1
        self._problem = ''
