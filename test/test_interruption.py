import signal

import pytest

from flashdepth_ros.interruption import termination_as_interrupt

REQUESTS = (signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(params=REQUESTS, ids=lambda number: number.name)
def termination_signal(request):
    previous = signal.signal(request.param, signal.SIG_DFL)
    yield request.param
    signal.signal(request.param, previous)


def test_termination_signal_raises_keyboard_interrupt(termination_signal):
    with pytest.raises(KeyboardInterrupt), termination_as_interrupt():
        signal.raise_signal(termination_signal)
    assert signal.getsignal(termination_signal) is signal.SIG_DFL


def test_ignored_signal_stays_ignored(termination_signal):
    signal.signal(termination_signal, signal.SIG_IGN)
    with termination_as_interrupt():
        signal.raise_signal(termination_signal)
    assert signal.getsignal(termination_signal) is signal.SIG_IGN
