"""Each item is returned exactly once, and the newest replaces an older one."""

from concurrent.futures import ThreadPoolExecutor
from threading import Thread
import time

from flashdepth_ros.node.mailbox import Mailbox


def test_each_item_is_taken_or_returned_exactly_once():
    mailbox = Mailbox()
    taken = []

    def consume():
        while (item := mailbox.take()) is not None:
            taken.append(item)

    consumer = Thread(target=consume)
    consumer.start()
    returned = [mailbox.put(number) for number in range(1, 20_001)]
    returned.append(mailbox.close())
    consumer.join(5)
    rest = [item for item in returned if item is not None]
    assert sorted(taken + rest) == list(range(1, 20_001))
    assert taken == sorted(taken)


def test_newest_item_replaces_the_waiting_one():
    mailbox = Mailbox()
    assert mailbox.put('old') is None
    assert mailbox.put('new') == 'old'
    assert mailbox.take(0) == 'new'
    assert mailbox.take(0) is None


def test_take_waits_for_an_item_until_the_timeout():
    mailbox = Mailbox()
    start_s = time.monotonic()
    assert mailbox.take(0.05) is None
    assert time.monotonic() - start_s >= 0.04
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(mailbox.take, 5.0)
        mailbox.put('item')
        assert waiting.result(5) == 'item'


def test_close_wakes_all_threads_and_refuses_new_items():
    mailbox = Mailbox()
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(mailbox.take) for _ in range(2)]
        assert mailbox.close() is None
        assert [future.result(5) for future in waiting] == [None, None]
    assert mailbox.closed
    assert mailbox.put('late') == 'late'
    assert mailbox.take() is None


def test_close_returns_the_item_not_taken():
    mailbox = Mailbox()
    mailbox.put('item')
    assert mailbox.close() == 'item'
    assert mailbox.take() is None
