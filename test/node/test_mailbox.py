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
    returned.extend(mailbox.close())
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
        assert mailbox.close() == []
        assert [future.result(5) for future in waiting] == [None, None]
    assert mailbox.closed
    assert mailbox.put('late') == 'late'
    assert mailbox.take() is None


def test_close_returns_the_item_not_taken():
    mailbox = Mailbox()
    mailbox.put('item')
    assert mailbox.close() == ['item']
    assert mailbox.take() is None


def test_senders_are_served_in_turn():
    mailbox, served = Mailbox(), []
    for _ in range(4):
        mailbox.put('fast', sender='fast')
    mailbox.put('slow', sender='slow')
    for _ in range(6):
        served.append(item := mailbox.take(0))
        mailbox.put(item, sender=item)
        mailbox.put('fast', sender='fast')
    assert served == ['fast', 'slow'] * 3
    assert mailbox.close() == ['fast', 'slow']


def test_waiting_items_are_taken_together_and_done_with_the_first():
    mailbox = Mailbox()
    assert mailbox.take_waiting() == []
    for sender in range(3):
        mailbox.put(10 * sender)
        mailbox.put(sender, sender=sender)
    assert [mailbox.take(0), mailbox.take_waiting()] == [20, [0, 1, 2]]
    assert mailbox.taken == 4
    assert mailbox.busy
    assert not mailbox.done
    assert mailbox.take(0) is None
    assert mailbox.done
