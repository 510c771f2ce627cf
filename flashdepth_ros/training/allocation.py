"""How memory is taken from the system while a CPU trains."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_NEVER = 2**31 - 1
_TOP_PAD = 2**28


def keep_freed_memory() -> None:
    """
    Let freed memory wait for the next step, where the C library is glibc; else do nothing.

    By its defaults glibc hands large blocks back at once, and the system clears every page of the
    next. A step of `flashdepth-tiny` at 294x224 spent a fifth of its time so.
    """
    if sys.platform != 'linux':
        return
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _NEVER)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)
        mallopt(_M_TOP_PAD, _TOP_PAD)
