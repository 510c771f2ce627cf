"""Passes the newest image from the executor's thread to the inference thread."""

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

    @property
    def closed(self) -> bool:
        return self._closed

    def put(self, item: Item) -> Item | None:
        """Store an item without waiting; return the one it replaces, or `item` once closed."""
        with self._changed:
            if self._closed:
                return item
            stale, self._item = self._item, item
            self._changed.notify()
            return stale

    def take(self, timeout_s: float | None = None) -> Item | None:
        """Wait for an item and remove it; return None after ``timeout_s``, or once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._item is not None, timeout_s)
            item, self._item = self._item, None
            return item

    def close(self) -> Item | None:
        """Close the mailbox and wake every waiting ``take``; return the item not taken."""
        with self._changed:
            self._closed = True
            item, self._item = self._item, None
            self._changed.notify_all()
            return item
