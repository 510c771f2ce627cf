"""When a frame starts a new sequence, and why: the one place where recurrent state is dropped."""

from dataclasses import dataclass
from enum import Enum

from flashdepth_ros.errors import InputError


class ResetReason(str, Enum):
    """Why a sequence started; NONE on a frame that goes on with the one before."""

    NONE = ''
    FIRST_FRAME = 'first_frame'
    PUBLISHER_RESTARTED = 'publisher_restarted'
    STAMP_BACK = 'stamp_back'
    GAP = 'gap'
    CLOCK_JUMP = 'clock_jump'
    GEOMETRY_CHANGED = 'geometry_changed'
    NON_FINITE = 'non_finite'
    REQUESTED = 'requested'


class StaleFrameError(InputError):
    """A frame that is a little older than the last one: to be dropped, not to reset on."""


@dataclass(frozen=True)
class SequencePolicy:
    """How far stamps may wander before a new sequence starts."""

    max_gap_s: float = 2.0
    """A later stamp by more than this starts a new sequence; 0 = never."""
    backward_tolerance_s: float = 0.0
    """A stamp earlier by at most this makes the frame stale; by more, it starts a new sequence."""


@dataclass(frozen=True)
class FrameTag:
    """What is known of a frame beside its pixels."""

    stamp_ns: int
    height: int
    width: int
    frame_id: str = ''
    camera_matrix: tuple[float, ...] | None = None
    """K, row by row; None while unknown."""


@dataclass(frozen=True)
class Place:
    """Where a frame stands: in which sequence, how far from its start, and what started it."""

    sequence_id: int
    frames_since_reset: int
    reset_reason: ResetReason


class Sequence:
    """Follows the frames of one stream and tells each one's place."""

    def __init__(self, policy: SequencePolicy | None = None) -> None:
        self.policy = policy or SequencePolicy()
        self._last: FrameTag | None = None
        self._pending = ResetReason.FIRST_FRAME
        self._place = Place(-1, 0, ResetReason.NONE)

    @property
    def camera_matrix(self) -> tuple[float, ...] | None:
        """K of the frame that entered last, or before it where that told none; None: unknown."""
        return None if self._last is None else self._last.camera_matrix

    def request(self, reason: ResetReason) -> None:
        """Let the next frame start a new sequence; the first reason given before it stays."""
        if self._pending is ResetReason.NONE:
            self._pending = reason

    def enter(self, tag: FrameTag) -> Place:
        """
        Return the place of the next frame.

        :raises StaleFrameError: its stamp went back within the tolerance; nothing has changed.
        """
        reason = self._pending or self._break_before(tag)
        self._pending = ResetReason.NONE
        self._last = self._with_known_camera(tag)
        if reason:
            return self.restart(reason)
        frames = self._place.frames_since_reset + 1
        self._place = Place(self._place.sequence_id, frames, ResetReason.NONE)
        return self._place

    def restart(self, reason: ResetReason) -> Place:
        """Let a new sequence start with the frame that entered last; return its place."""
        self._place = Place(self._place.sequence_id + 1, 0, reason)
        return self._place

    def _break_before(self, tag: FrameTag) -> ResetReason:
        assert self._last is not None
        if _geometry_differs(self._last, tag):
            return ResetReason.GEOMETRY_CHANGED
        later_s = (tag.stamp_ns - self._last.stamp_ns) * 1e-9
        if later_s < 0:
            if -later_s > self.policy.backward_tolerance_s:
                return ResetReason.STAMP_BACK
            raise StaleFrameError(
                f'stamp went back by {-later_s:.3f} s, within the tolerance of '
                f'{self.policy.backward_tolerance_s:.3f} s: frame dropped'
            )
        if self.policy.max_gap_s and later_s > self.policy.max_gap_s:
            return ResetReason.GAP
        return ResetReason.NONE

    def _with_known_camera(self, tag: FrameTag) -> FrameTag:
        """Keep the last known matrix of the view while none is given: a later change is seen."""
        if tag.camera_matrix is not None or self._last is None or not _same_view(self._last, tag):
            return tag
        return FrameTag(
            tag.stamp_ns, tag.height, tag.width, tag.frame_id, self._last.camera_matrix
        )


def _geometry_differs(last: FrameTag, tag: FrameTag) -> bool:
    both_known = last.camera_matrix is not None and tag.camera_matrix is not None
    changed = both_known and last.camera_matrix != tag.camera_matrix
    return changed or not _same_view(last, tag)


def _same_view(last: FrameTag, tag: FrameTag) -> bool:
    return (last.height, last.width, last.frame_id) == (tag.height, tag.width, tag.frame_id)
