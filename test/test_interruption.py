import signal

import pytest

from flashdepth_ros.interruption import ending_tidily

REQUESTS = (signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(params=REQUESTS, ids=lambda number: number.name)
def request_to_end(request):
    before = signal.signal(request.param, signal.SIG_DFL)
    yield request.param
    signal.signal(request.param, before)


def test_a_request_to_end_unwinds_what_runs(request_to_end):
    with pytest.raises(KeyboardInterrupt), ending_tidily():
        signal.raise_signal(request_to_end)
    assert signal.getsignal(request_to_end) is signal.SIG_DFL


def test_what_is_to_be_ignored_stays_so(request_to_end):
    signal.signal(request_to_end, signal.SIG_IGN)
    with ending_tidily():
        signal.raise_signal(request_to_end)
    assert signal.getsignal(request_to_end) is signal.SIG_IGN
