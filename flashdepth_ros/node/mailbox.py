"""Newest-frame hand-over from the executor's thread to the inference thread."""

from __future__ import annotations

from threading import Condition
from typing import Generic, TypeVar

Item = TypeVar('Item')


class Mailbox(Generic[Item]):
    """
    One slot between two threads; whatever is put in comes out once.

    It comes out of ``take``, or ``put`` and ``close`` give it back because nobody will take it any
    more: nothing is lost uncounted. A closed mailbox stays closed.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._item: Item | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    def put(self, item: Item) -> Item | None:
        """Leave an item; return the stale one it replaces, or itself once closed; never wait."""
        with self._changed:
            if self._closed:
                return item
            stale, self._item = self._item, item
            self._changed.notify()
            return stale

    def take(self, timeout_s: float | None = None) -> Item | None:
        """Wait for an item and take it out; return None after ``timeout_s``, or once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._item is not None, timeout_s)
            item, self._item = self._item, None
            return item

    def close(self) -> Item | None:
        """Wake every waiting ``take`` for good; return the item that nobody took."""
        with self._changed:
            self._closed = True
            item, self._item = self._item, None
            self._changed.notify_all()
            return item
