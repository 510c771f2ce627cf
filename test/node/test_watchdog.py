"""The watchdog: finds dead and hanging threads, and no others."""

import pytest

from flashdepth_ros.node.threads import Progress
from flashdepth_ros.node.watchdog import REPLACE_S, REPORT_S, Watchdog

IDLE = Progress('inference', alive=True, started=3, busy=False)
BUSY = Progress('inference', alive=True, started=3, busy=True)
FIRST = Progress('inference', alive=True, started=1, busy=True)
DEAD = Progress('inference', alive=False, started=3, busy=True)


def faults(watchdog, thread, seconds, start_s=0):
    """Check a thread once a second; return all faults."""
    return [watchdog.check([thread], start_s + second) for second in range(seconds + 1)]


@pytest.mark.parametrize('thread', [IDLE, BUSY, FIRST])
def test_no_fault_within_the_usual_time(thread):
    assert set(faults(Watchdog(), thread, int(REPORT_S))) == {None}


def test_an_idle_thread_is_never_a_fault():
    assert set(faults(Watchdog(), IDLE, 1000)) == {None}


def test_a_thread_that_goes_on_is_never_a_fault():
    watchdog = Watchdog()
    for second in range(1000):
        thread = Progress('inference', alive=True, started=second // 9, busy=True)
        assert watchdog.check([thread], second) is None


def test_a_hanging_thread_is_reported_with_its_time_and_replaced_later():
    found = [fault for fault in faults(Watchdog(), BUSY, int(REPLACE_S) + 9) if fault]
    assert 'inference thread has been working on one image for 11 s' in found[0].text
    replaced = [fault.needs_new_thread for fault in found]
    assert replaced == sorted(replaced)
    assert (replaced[0], replaced[-1]) == (False, True)


def test_a_thread_that_hangs_at_its_first_image_is_not_replaced():
    *_, last = faults(Watchdog(), FIRST, 10 * int(REPLACE_S))
    assert 'restart the node' in last.text
    assert not last.needs_new_thread


def test_a_dead_thread_is_replaced_at_once():
    fault = Watchdog().check([IDLE, DEAD], 0.0)
    assert 'has ended' in fault.text
    assert fault.needs_new_thread


def test_a_slow_thread_has_more_time():
    watchdog = Watchdog()
    slow_s = int(REPORT_S) - 2
    assert set(faults(watchdog, BUSY, slow_s)) == {None}
    slow = Progress('inference', alive=True, started=4, busy=True)
    assert set(faults(watchdog, slow, 3 * slow_s, slow_s + 1)) == {None}


def test_the_time_in_which_the_process_was_stopped_does_not_count():
    watchdog = Watchdog()
    watchdog.check([BUSY], 0.0)
    watchdog.check([BUSY], 1.0)
    assert watchdog.check([BUSY], 10_000.0) is None


def test_the_thread_that_others_wait_for_is_reported():
    watchdog = Watchdog()
    publishing = Progress('publishing', alive=True, started=2, busy=True)
    for second in range(int(REPORT_S) + 2):
        fault = watchdog.check([publishing, BUSY], second)
    assert 'publishing' in fault.text
