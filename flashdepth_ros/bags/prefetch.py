"""Work done in a thread beside its consumer, in order and with a bound on what waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar('Item')


def prefetched(items: Iterator[Item], ahead: int) -> Generator[Item]:
    """
    Yield the items in order, while a thread takes up to `ahead` further ones off the iterator.

    Whatever the iterator raises is raised in its place, behind the items before it. The thread
    ends with the last item, or when the generator is closed.
    """
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix='prefetch')
    try:
        pending = deque(_next(thread, items) for _ in range(ahead))
        while (found := pending.popleft().result()) is not None:
            pending.append(_next(thread, items))
            yield found[0]
    finally:
        thread.shutdown(cancel_futures=True)
        if isinstance(items, Generator):
            items.close()


def _next(thread: ThreadPoolExecutor, items: Iterator[Item]) -> Future[tuple[Item] | None]:
    """Let the thread take the next item; None says that there is none."""
    return thread.submit(lambda: next(((item,) for item in items), None))
