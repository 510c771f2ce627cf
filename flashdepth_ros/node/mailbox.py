"""Passes the newest item from one thread to another one."""

from __future__ import annotations

from threading import Condition
from typing import Generic, TypeVar

Item = TypeVar('Item')


class Mailbox(Generic[Item]):
    """
    One slot between two threads; each item that is put in is returned exactly once.

    ``take`` returns it, or ``put`` and ``close`` return it because it will not be taken any more:
    every item can be counted. A closed mailbox cannot be opened again.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._item: Item | None = None
        self._closed = False
        self._taken = 0
        self._busy = False

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def busy(self) -> bool:
        """Whether an item was taken and the next one is not asked for yet."""
        return self._busy

    @property
    def done(self) -> bool:
        """Whether there is no item, neither in the slot nor in progress."""
        return self._item is None and not self._busy

    @property
    def taken(self) -> int:
        """How many items were taken."""
        return self._taken

    def put(self, item: Item) -> Item | None:
        """Store an item without waiting; return the one it replaces, or `item` once closed."""
        with self._changed:
            if self._closed:
                return item
            stale, self._item = self._item, item
            self._changed.notify_all()
            return stale

    def take(self, timeout_s: float | None = None) -> Item | None:
        """Wait for an item and remove it; return None after ``timeout_s``, or once closed."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or self._item is not None, timeout_s)
            item, self._item = self._item, None
            self._busy = item is not None
            self._taken += self._busy
            return item

    def wait_until_done(self) -> None:
        """Wait until the item in the slot or in progress is done, or until it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self.done)

    def close(self) -> Item | None:
        """Close the mailbox and wake every waiting thread; return the item not taken."""
        with self._changed:
            self._closed = True
            item, self._item = self._item, None
            self._changed.notify_all()
            return item
