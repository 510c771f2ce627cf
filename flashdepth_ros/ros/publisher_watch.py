"""Follows one publisher of a topic: tells its restarts, what transport lost, and strangers."""

from __future__ import annotations

from dataclasses import dataclass

_TAKEOVER_S = 0.5
"""A followed publisher that is silent for this long, and for three periods, can be replaced."""
_WINDOW = 1000
"""Between two publishers that cannot be told apart, a larger step of the number is the other's."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What one message tells of its publisher."""

    followed: bool
    """False: another publisher's, to be ignored."""
    lost: int = 0
    """Messages of the followed publisher that never arrived, just before this one."""
    restarted: bool = False
    """The followed publisher is a new one."""


class PublisherWatch:
    """
    Judges the messages of one topic by publisher gid where the middleware tells it (from Kilted).

    Before, only the publication sequence number is known: it counts up by one for each publisher
    and starts at 1 with a new one.
    """

    def __init__(self) -> None:
        self._gid: bytes | None = None
        self._sequence: int | None = None
        self._arrived_s = 0.0
        self._period_s = 0.0
        self._following = False
        self._left = False

    def see_count(self, publishers: int) -> None:
        """Note how many publishers the graph knows; none means that the followed one has left."""
        self._left = self._left or (self._following and publishers == 0)

    def see_message(
        self, sequence: int | None, gid: bytes | None, publishers: int, now_s: float
    ) -> Arrival:
        """
        Judge a message.

        :param sequence: its publication sequence number, None where the middleware has none.
        :param publishers: how many the graph knows just now.
        :param now_s: a monotonic time.
        """
        arrival = self._judge(sequence, gid, publishers, now_s)
        if arrival.followed:
            same = self._following and not arrival.restarted
            self._period_s = now_s - self._arrived_s if same else 0.0
            self._gid, self._sequence, self._arrived_s = gid, sequence, now_s
            self._following, self._left = True, False
        return arrival

    def _judge(
        self, sequence: int | None, gid: bytes | None, publishers: int, now_s: float
    ) -> Arrival:
        if not self._following:
            return Arrival(followed=True)
        if self._left:
            return Arrival(followed=True, restarted=True)
        silent = now_s - self._arrived_s > max(_TAKEOVER_S, 3 * self._period_s)
        ambiguous = gid is None and publishers > 1
        # A killed publisher stays in the graph for a while, beside the one that replaces it.
        replaced = ambiguous and silent and self._period_s > 0
        if self._continues(sequence, gid, ambiguous) and not replaced:
            return Arrival(followed=True, lost=self._step(sequence) - 1)
        if publishers <= 1 or silent:
            return Arrival(followed=True, restarted=True)
        return Arrival(followed=False)

    def _continues(self, sequence: int | None, gid: bytes | None, ambiguous: bool) -> bool:
        """Tell whether a message can be the followed publisher's next."""
        if gid is not None and self._gid is not None and gid != self._gid:
            return False
        step = self._step(sequence)
        return step > 0 and not (ambiguous and step > _WINDOW)

    def _step(self, sequence: int | None) -> int:
        """Return how far the number is from the last one; 1 where there are no numbers."""
        if sequence is None or self._sequence is None:
            return 1
        return sequence - self._sequence
