"""Nothing is lost, nothing is delivered twice, and the newest wins."""

from concurrent.futures import ThreadPoolExecutor
from threading import Thread
import time

from flashdepth_ros.node.mailbox import Mailbox


def test_what_is_put_is_taken_or_given_back_exactly_once():
    mailbox = Mailbox()
    taken = []

    def consume():
        while (item := mailbox.take()) is not None:
            taken.append(item)

    consumer = Thread(target=consume)
    consumer.start()
    given_back = [mailbox.put(number) for number in range(1, 20_001)]
    given_back.append(mailbox.close())
    consumer.join(5)
    rest = [item for item in given_back if item is not None]
    assert sorted(taken + rest) == list(range(1, 20_001))
    assert taken == sorted(taken)


def test_the_newest_replaces_the_one_that_waits():
    mailbox = Mailbox()
    assert mailbox.put('old') is None
    assert mailbox.put('new') == 'old'
    assert mailbox.take(0) == 'new'
    assert mailbox.take(0) is None


def test_take_waits_for_an_item_and_no_longer_than_asked():
    mailbox = Mailbox()
    begin = time.monotonic()
    assert mailbox.take(0.05) is None
    assert time.monotonic() - begin >= 0.04
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(mailbox.take, 5.0)
        mailbox.put('item')
        assert waiting.result(5) == 'item'


def test_close_wakes_everyone_and_takes_nothing_more():
    mailbox = Mailbox()
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(mailbox.take) for _ in range(2)]
        assert mailbox.close() is None
        assert [future.result(5) for future in waiting] == [None, None]
    assert mailbox.closed
    assert mailbox.put('late') == 'late'
    assert mailbox.take() is None


def test_close_gives_back_what_nobody_took():
    mailbox = Mailbox()
    mailbox.put('item')
    assert mailbox.close() == 'item'
    assert mailbox.take() is None
