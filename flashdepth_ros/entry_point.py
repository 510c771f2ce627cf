"""Run the main function of a process: whatever ends it early is reported in one line."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
import io
import os
import select
import sys

from flashdepth_ros.errors import FlashDepthError
from flashdepth_ros.installation import missing_package
from flashdepth_ros.interruption import INTERRUPTED_STATUS, end_at_interrupt

TRACEBACK = 'FLASHDEPTH_TRACEBACK'
"""The environment variable that shows the traceback of every error."""
_WAITING = {'OMP_WAIT_POLICY': 'PASSIVE', 'GOMP_SPINCOUNT': '1000'}
"""For OpenMP of any vendor; GNU's waits about 50 microseconds first, a tenth faster when alone."""
FAILED = 1
BROKEN_PIPE = 141
"""The exit status of a process that SIGPIPE ends, as a shell reports it."""


def run_process(name: str, main: Callable[[], int]) -> int:
    """
    Return the exit status of the main function of this process, as `run_reporting`.

    Until `main` handles it, Ctrl-C ends the process at once, with status 130.
    """
    end_at_interrupt()
    let_idle_threads_sleep()
    _ensure_home()
    _open_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')
    return run_reporting(name, main)


def run_reporting(name: str, main: Callable[[], int]) -> int:
    """
    Return the exit status of `main`, also if it raises; report an error in one line on stderr.

    Report nothing if the reader of the output has ended, as in `flashdepth models list | head -1`.

    :param name: the name of the process, before each message.
    """
    try:
        status = main()
        # Here, because an error at the end of the interpreter can no longer be handled.
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return _report_interrupt(name)
    except Exception as error:  # noqa: BLE001 - any error, of this package or not
        if _hides_interrupt(error):
            return _report_interrupt(name)
        if isinstance(error, BrokenPipeError) and _has_lost_reader():
            return BROKEN_PIPE
        _report(name, error)
        return FAILED
    finally:
        _discard_unwritten_output()


def let_idle_threads_sleep() -> None:
    """
    Let the threads of PyTorch sleep after a short wait, unless the user has chosen how they wait.

    By default they spin for milliseconds. Beside one other busy process a frame then takes several
    times as long, because a spinning thread occupies the core that the thread it waits for needs.
    OpenMP reads the variables when PyTorch is imported.
    """
    if not any(name in os.environ for name in (*_WAITING, 'KMP_BLOCKTIME')):
        os.environ.update(_WAITING)


def _ensure_home() -> None:
    """Set HOME where it is not, because ROS and OpenVINO do not start without one."""
    if os.environ.get('HOME'):
        return
    import atexit
    from pathlib import Path
    import shutil
    from tempfile import mkdtemp

    try:
        os.environ['HOME'] = str(Path.home())
    except RuntimeError:  # neither does the user database have one
        os.environ['HOME'] = mkdtemp(prefix='flashdepth-home-')
        atexit.register(shutil.rmtree, os.environ['HOME'], ignore_errors=True)


def _open_closed_streams() -> None:
    """Open the null device for every closed standard stream, so that no other file takes over."""
    for name in ('stdin', 'stdout', 'stderr'):
        if getattr(sys, name) is None:
            mode = 'r' if name == 'stdin' else 'w'
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding='utf-8'))


def _report_interrupt(name: str) -> int:
    _print(f'{name}: interrupted')
    # After an interrupt inside of `exec` of a text, as `dataclass` uses it, `python -m` would end
    # by the signal instead of with the status. This clears the interpreter's note of it.
    exec('')
    return INTERRUPTED_STATUS


def _hides_interrupt(error: BaseException | None) -> bool:
    """Return whether a package made a failed import of an interrupt while it was imported."""
    while error is not None:
        if isinstance(error, ImportError) and isinstance(error.__context__, KeyboardInterrupt):
            return True
        error = error.__context__
    return False


def _report(name: str, error: Exception) -> None:
    print_requested_traceback(error)
    _print(f'{name}: {describe(error)}')


def print_requested_traceback(error: BaseException) -> None:
    """Print the traceback of an error on stderr if the user has set `FLASHDEPTH_TRACEBACK`."""
    if os.environ.get(TRACEBACK):
        import traceback

        _print(''.join(traceback.format_exception(error)))


def describe(error: BaseException) -> str:
    """Return an expected error's own text, or else type, reason and how to see more."""
    if isinstance(error, FlashDepthError):
        return str(error)
    if isinstance(error, ImportError) and (missing := missing_package(error)):
        return missing
    reason = ' '.join(str(error).split())
    kind = type(error).__name__
    unexpected = f'{kind}: {reason}' if reason else kind
    return f'{unexpected} (set {TRACEBACK}=1 to see where it was raised)'


def _print(text: str) -> None:
    with suppress(OSError):
        sys.stderr.write(f'{text}\n')
        sys.stderr.flush()


def _has_lost_reader() -> bool:
    """Return whether standard output or standard error is a pipe that nobody reads any more."""
    poll = select.poll()
    for descriptor in (1, 2):
        poll.register(descriptor, 0)
    return any(flags & select.POLLERR for _, flags in poll.poll(0))


def _discard_unwritten_output() -> None:
    """Prevent an error message of the interpreter about output that cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
