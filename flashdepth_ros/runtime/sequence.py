"""Decide when a frame starts a new sequence; only then is the recurrent state dropped."""

from dataclasses import dataclass
from enum import Enum

from flashdepth_ros.errors import InputError


class ResetReason(str, Enum):
    """Why a sequence started; NONE for a frame that continues its sequence."""

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
    """The frame is slightly older than the last one: drop it, and do not reset."""


@dataclass(frozen=True)
class SequencePolicy:
    """How much stamps may differ within a sequence."""

    max_gap_s: float = 2.0
    """A stamp later by more than this starts a new sequence; 0: never."""
    backward_tolerance_s: float = 0.0
    """A stamp earlier by at most this makes the frame stale; by more, it starts a new sequence."""


@dataclass(frozen=True)
class FrameTag:
    """The metadata of a frame."""

    stamp_ns: int
    height: int
    width: int
    frame_id: str = ''
    camera_matrix: tuple[float, ...] | None = None
    """K in row-major order; None if unknown."""


@dataclass(frozen=True)
class SequencePosition:
    """The sequence of a frame, its index in the sequence, and why the sequence started."""

    sequence_id: int
    frames_since_reset: int
    reset_reason: ResetReason


class Sequence:
    """Tracks the frames of one stream and returns the position of each in its sequence."""

    def __init__(self, policy: SequencePolicy | None = None) -> None:
        self.policy = policy or SequencePolicy()
        self._last: FrameTag | None = None
        self._requested = ResetReason.FIRST_FRAME
        self._position = SequencePosition(-1, 0, ResetReason.NONE)

    @property
    def camera_matrix(self) -> tuple[float, ...] | None:
        """The last known K of the current view; None if unknown."""
        return None if self._last is None else self._last.camera_matrix

    def request_reset(self, reason: ResetReason) -> None:
        """Start a new sequence with the next frame; of several requests, keep the first reason."""
        if self._requested is ResetReason.NONE:
            self._requested = reason

    def add(self, tag: FrameTag) -> SequencePosition:
        """
        Return the position of the next frame.

        :raises StaleFrameError: its stamp went back within the tolerance; nothing has changed.
        """
        reason = self._requested or self._reset_reason(tag)
        self._requested = ResetReason.NONE
        self._last = self._with_known_camera(tag)
        return self.continue_or_restart(reason)

    def continue_or_restart(self, reason: ResetReason) -> SequencePosition:
        """Return the position after the last one; with a reason it starts a new sequence."""
        if reason:
            return self.restart(reason)
        frames = self._position.frames_since_reset + 1
        self._position = SequencePosition(self._position.sequence_id, frames, ResetReason.NONE)
        return self._position

    def rewind(self, position: SequencePosition) -> None:
        """Go back to a frame's position, so that those after it get new ones."""
        self._position = position

    def restart(self, reason: ResetReason) -> SequencePosition:
        """Start a new sequence with the frame added last; return its new position."""
        self._position = SequencePosition(self._position.sequence_id + 1, 0, reason)
        return self._position

    def _reset_reason(self, tag: FrameTag) -> ResetReason:
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
        """Fill in the last known matrix of the view, so that a later change is detected."""
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
