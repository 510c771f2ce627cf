"""Follows one publisher of a topic: detects restarts, lost messages and other publishers."""

from __future__ import annotations

from dataclasses import dataclass

_TAKEOVER_S = 0.5
"""The followed publisher can be replaced after no message for this time and three periods."""
_WINDOW = 1000
"""Without gids, a larger step of the sequence number is taken for the other publisher's."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known about the publisher of one message."""

    followed: bool
    """False: it is from another publisher and is to be ignored."""
    lost: int = 0
    """Number of messages of the followed publisher lost just before this one."""
    restarted: bool = False
    """Whether a new publisher is followed from this message on."""


class PublisherWatch:
    """
    Identifies the publisher of each message by its gid if the middleware gives one (from Kilted).

    Earlier distributions give only the publication sequence number: each publisher starts at 1 and
    counts up by one.
    """

    def __init__(self) -> None:
        self._gid: bytes | None = None
        self._sequence: int | None = None
        self._arrived_s = 0.0
        self._period_s = 0.0
        self._following = False
        self._left = False

    def check_count(self, publishers: int) -> None:
        """Record the number of publishers in the graph; 0: the followed one has left."""
        self._left = self._left or (self._following and publishers == 0)

    def check_message(
        self, sequence: int | None, gid: bytes | None, publishers: int, now_s: float
    ) -> Arrival:
        """
        Return whether the message is from the followed publisher, and what was lost before it.

        :param sequence: Publication sequence number, None if the middleware has none.
        :param publishers: Number of publishers in the graph.
        :param now_s: A monotonic time.
        """
        arrival = self._classify(sequence, gid, publishers, now_s)
        if arrival.followed:
            same = self._following and not arrival.restarted
            self._period_s = now_s - self._arrived_s if same else 0.0
            self._gid, self._sequence, self._arrived_s = gid, sequence, now_s
            self._following, self._left = True, False
        return arrival

    def _classify(
        self, sequence: int | None, gid: bytes | None, publishers: int, now_s: float
    ) -> Arrival:
        if not self._following:
            return Arrival(followed=True)
        if self._left:
            return Arrival(followed=True, restarted=True)
        silent = now_s - self._arrived_s > max(_TAKEOVER_S, 3 * self._period_s)
        ambiguous = gid is None and publishers > 1
        # A killed publisher stays in the graph for a while, together with its replacement.
        replaced = ambiguous and silent and self._period_s > 0
        if self._continues(sequence, gid, ambiguous) and not replaced:
            return Arrival(followed=True, lost=self._step(sequence) - 1)
        if publishers <= 1 or silent:
            return Arrival(followed=True, restarted=True)
        return Arrival(followed=False)

    def _continues(self, sequence: int | None, gid: bytes | None, ambiguous: bool) -> bool:
        """Return whether the message can be the next one of the followed publisher."""
        if gid is not None and self._gid is not None and gid != self._gid:
            return False
        step = self._step(sequence)
        return step > 0 and not (ambiguous and step > _WINDOW)

    def _step(self, sequence: int | None) -> int:
        """Return the difference to the last sequence number; 1 if there are no numbers."""
        if sequence is None or self._sequence is None:
            return 1
        return sequence - self._sequence
