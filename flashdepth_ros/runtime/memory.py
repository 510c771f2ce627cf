"""How much memory this process holds."""

import os
from pathlib import Path
import resource

_STATM = Path('/proc/self/statm')
_KIB = 1024


def resident_bytes() -> int:
    """Return how much memory the process holds now; its peak where the system tells only that."""
    if not _STATM.exists():
        return peak_resident_bytes()
    return int(_STATM.read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE')


def peak_resident_bytes() -> int:
    """Return the most memory the process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
