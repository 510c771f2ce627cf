"""Threads of the node: nothing ends them, and every item is processed or returned."""

from threading import Event
import time

import pytest

from flashdepth_ros.errors import InputError
from flashdepth_ros.node.threads import NodeThread, Patience, ProcessingThread, run_in_thread

ERRORS = [InputError('a'), KeyError('b'), MemoryError(), SystemExit(1), KeyboardInterrupt()]


@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize('report_fails', [False, True])
def test_no_exception_ends_a_thread(error, report_fails):
    failures, processed = [], []

    def process(item):
        if item == 'bad':
            raise error
        processed.append(item)

    def failed(raised):
        failures.append(raised)
        if report_fails:
            raise error

    thread = ProcessingThread('test', process, failed)
    thread.start()
    for item in ('bad', 'good', 'bad', 'good'):
        thread.mailbox.put(item)
        thread.mailbox.wait_until_done()
    assert failures == [error, error]
    assert processed == ['good', 'good']
    assert thread.progress.alive
    thread.mailbox.close()
    assert Patience(5.0)(thread.has_ended)


def test_progress_tells_what_the_thread_does():
    may_end = Event()
    thread = ProcessingThread('test', lambda _: may_end.wait(5.0), lambda _: None)
    thread.start()
    assert (thread.progress.busy, thread.progress.started) == (False, 0)
    thread.mailbox.put('item')
    assert Patience(5.0)(lambda: thread.progress.busy)
    assert thread.progress.started == 1
    may_end.set()
    assert Patience(5.0)(lambda: not thread.progress.busy)
    thread.mailbox.close()
    assert Patience(5.0)(thread.has_ended)
    assert not NodeThread.any_running()


def test_wait_until_done_ends_when_the_mailbox_is_closed():
    thread = ProcessingThread('test', lambda _: Event().wait(1.0), lambda _: None)
    thread.start()
    thread.mailbox.put('item')
    waiting = run_in_thread('waiting', thread.mailbox.wait_until_done)
    thread.mailbox.close()
    waiting.result(0.5)
    assert Patience(5.0)(thread.has_ended)


def test_result_and_exception_of_a_function():
    assert run_in_thread('test', lambda: 3).result(5.0) == 3
    error = run_in_thread('test', lambda: [][0]).exception(5.0)
    assert isinstance(error, IndexError)


def test_patience_ends_with_the_process():
    start_s = time.monotonic()
    assert not Patience(60.0, ends=lambda: True)(lambda: False)
    assert Patience(60.0, ends=lambda: True)(lambda: True)
    both = Patience(0.3)
    assert not both(lambda: False)
    assert not both(lambda: False)
    assert time.monotonic() - start_s < 2.0
