"""The supervisor: a dead worker is started again, a hanging one is replaced with its estimator."""

from threading import Event
import time

import pytest
from rclpy.logging import get_logger

from flashdepth_ros.node import watchdog
from flashdepth_ros.node.supervisor import Supervisor
from flashdepth_ros.node.threads import Patience, ProcessingThread
from flashdepth_ros.runtime.sequence import Sequence, SequencePolicy

REPORT_S, REPLACE_S = 0.2, 0.4
MAX_GAP_S = 0.3


class Estimator:
    """An estimator that can hang."""

    def __init__(self):
        self.sequence = Sequence(SequencePolicy(max_gap_s=MAX_GAP_S))
        self.resets = []
        self.may_go_on = Event()
        self.may_go_on.set()

    def reset(self, reason):
        self.resets.append(reason)


class Worker:
    """A worker with a thread that waits for its estimator."""

    advice = ''

    def __init__(self, estimators):
        (estimator,) = estimators
        self.thread = ProcessingThread(
            'inference', lambda _: estimator.may_go_on.wait(), lambda _: None
        )
        self.start = self.thread.start

    @property
    def progress(self):
        return (self.thread.progress,)

    def stop(self, wait):
        self.thread.mailbox.close()
        return wait(self.thread.has_ended)


@pytest.fixture
def supervisor(monkeypatch):
    monkeypatch.setattr(watchdog, 'REPORT_S', REPORT_S)
    monkeypatch.setattr(watchdog, 'REPLACE_S', REPLACE_S)
    supervisor = Supervisor(Worker, lambda: (Estimator(),), get_logger('test'))
    supervisor.estimators = (Estimator(),)
    supervisor.start()
    hanging = [*supervisor.estimators]
    yield supervisor
    supervisor.stop(Patience(1.0))
    for estimator in hanging:
        estimator.may_go_on.set()


def check_until(supervisor, condition, timeout_s=5.0):
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, supervisor.fault
        supervisor.check()
        time.sleep(0.02)


def hang(supervisor, images):
    """Let the estimator hang at the last of some images."""
    mailbox = supervisor.worker.thread.mailbox
    for number in range(1, images + 1):
        if number == images:
            supervisor.estimators[0].may_go_on.clear()
        mailbox.put(number)
        assert Patience(5.0)(lambda number=number: mailbox.taken == number)


def test_no_fault_while_the_worker_goes_on(supervisor):
    worker = supervisor.worker
    for number in range(50):
        worker.thread.mailbox.put(number)
        supervisor.check()
        time.sleep(0.01)
    assert supervisor.fault == ''
    assert supervisor.worker is worker


def test_a_dead_worker_is_replaced_with_the_same_estimator(supervisor, capfd):
    worker, estimator = supervisor.worker, supervisor.estimators[0]
    worker.thread.mailbox.close()
    check_until(supervisor, lambda: supervisor.worker is not worker)
    assert supervisor.estimators == (estimator,)
    assert len(estimator.resets) == 2
    assert 'the inference thread has ended' in supervisor.fault
    assert 'the inference thread has ended: starting a new one' in capfd.readouterr().err


def test_a_hanging_worker_is_replaced_with_a_new_estimator(supervisor):
    worker, estimator = supervisor.worker, supervisor.estimators[0]
    hang(supervisor, images=2)
    check_until(supervisor, lambda: supervisor.fault)
    assert 'has been working on one image' in supervisor.fault
    check_until(supervisor, lambda: supervisor.worker not in (worker, None))
    assert supervisor.running
    assert supervisor.estimators[0] is not estimator
    assert not worker.thread.has_ended()


def test_a_worker_that_goes_on_late_is_kept(supervisor, capfd):
    worker = supervisor.worker
    hang(supervisor, images=1)
    check_until(supervisor, lambda: supervisor.fault)
    supervisor.estimators[0].may_go_on.set()
    check_until(supervisor, lambda: not supervisor.fault)
    assert supervisor.worker is worker
    assert 'goes on' in capfd.readouterr().err


def test_a_model_that_cannot_be_loaded_again_is_a_lasting_fault(supervisor, monkeypatch):
    def fail():
        raise MemoryError('no memory')

    monkeypatch.setattr(supervisor, '_load', fail)
    hang(supervisor, images=2)
    check_until(supervisor, lambda: 'MemoryError: no memory' in supervisor.fault)
    assert 'restart the node' in supervisor.fault
    assert not supervisor.running


def test_a_stopped_supervisor_starts_nothing(supervisor):
    supervisor.stop(Patience(1.0))
    for _ in range(5):
        supervisor.check()
    assert (supervisor.worker, supervisor.fault, supervisor.running) == (None, '', False)


def test_only_a_long_pause_resets_the_sequences(supervisor):
    (estimator,) = supervisor.estimators
    resets = []
    for pause_s in (0.0, 2 * MAX_GAP_S):
        assert supervisor.stop(Patience(1.0))
        time.sleep(pause_s)
        supervisor.start()
        resets.append(len(estimator.resets))
    assert resets == [1, 2]
    estimator.sequence.policy = SequencePolicy(max_gap_s=0.0)
    assert supervisor.stop(Patience(1.0))
    time.sleep(2 * MAX_GAP_S)
    supervisor.start()
    assert len(estimator.resets) == 2
