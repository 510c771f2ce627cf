"""How much memory this process holds."""

import os
from pathlib import Path
import resource

_KIB = 1024


def resident_bytes(pid: int | None = None) -> int:
    """
    Return how much memory a process holds now, this one by default.

    Its peak, of this process, where the system tells only that.
    """
    statm = Path('/proc', 'self' if pid is None else str(pid), 'statm')
    if pid is None and not statm.exists():
        return peak_resident_bytes()
    return int(statm.read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE')


def peak_resident_bytes() -> int:
    """Return the most memory the process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
