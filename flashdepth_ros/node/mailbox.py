"""Passes the newest item of each sender from several threads to another one."""

from __future__ import annotations

from collections.abc import Hashable
from threading import Condition
from typing import Generic, TypeVar

Item = TypeVar('Item')


class Mailbox(Generic[Item]):
    """
    One slot for each sender; each item that is put in is returned exactly once.

    ``take`` returns it, or ``put`` and ``close`` return it because it will not be taken any more:
    every item can be counted. Senders are served in turn, so that none waits for more than one
    item of each other one. A closed mailbox cannot be opened again.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        # In the order of waiting: a sender that was served joins the end with its next item.
        self._slots: dict[Hashable, Item] = {}
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
        """Whether there is no item, neither in a slot nor in progress."""
        return not self._busy and not self._slots

    @property
    def taken(self) -> int:
        """How many items were taken."""
        return self._taken

    def put(self, item: Item, sender: Hashable = None) -> Item | None:
        """
        Store an item without waiting.

        :return: the sender's item that it replaces, None if there is none; once closed, `item`.
        """
        with self._changed:
            if self._closed:
                return item
            stale = self._slots.get(sender)
            self._slots[sender] = item
            self._changed.notify_all()
            return stale

    def take(self, timeout_s: float | None = None) -> Item | None:
        """Wait for an item and remove it; return None after ``timeout_s``, or once closed."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or bool(self._slots), timeout_s)
            self._busy = bool(self._slots)
            self._taken += self._busy
            return self._slots.pop(next(iter(self._slots))) if self._slots else None

    def take_waiting(self) -> list[Item]:
        """Remove the items that wait, without waiting for more; they are done with the last."""
        with self._changed:
            items = list(self._slots.values())
            self._slots.clear()
            self._taken += len(items)
            return items

    def wait_until_done(self) -> None:
        """Wait until all items in slots or in progress are done, or until it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self.done)

    def close(self) -> list[Item]:
        """Close the mailbox and wake every waiting thread; return the items not taken."""
        with self._changed:
            self._closed = True
            items = list(self._slots.values())
            self._slots.clear()
            self._changed.notify_all()
            return items
