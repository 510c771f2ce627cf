"""Read an iterator ahead in a background thread, in order and with a bounded queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar('Item')


def prefetch(items: Iterator[Item], ahead: int) -> Generator[Item]:
    """
    Yield the items in order, while a thread reads up to `ahead` further ones from the iterator.

    An exception of the iterator is raised after the items before it. The thread ends after the
    last item, or when the generator is closed.
    """
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix='prefetch')
    try:
        pending = deque(_next(thread, items) for _ in range(ahead))
        while (result := pending.popleft().result()) is not None:
            pending.append(_next(thread, items))
            yield result[0]
    finally:
        thread.shutdown(cancel_futures=True)
        if isinstance(items, Generator):
            items.close()


def _next(thread: ThreadPoolExecutor, items: Iterator[Item]) -> Future[tuple[Item] | None]:
    """Read the next item in the thread, as a tuple; None after the last item."""
    return thread.submit(lambda: next(((item,) for item in items), None))
