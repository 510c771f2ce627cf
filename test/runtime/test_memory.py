import subprocess
import sys

import pytest

BLOCK = 50_000_000
PAGE = 4096
CODE = f"""
import resource, sys
import torch
from flashdepth_ros.runtime.memory import keep_freed_memory
if sys.argv[1] == 'kept':
    keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def take():
    for _ in range(10):
        torch.full(({BLOCK},), 1, dtype=torch.uint8)
take()
before = faults()
take()
print(faults() - before)
"""


def faults(how):
    """Return how often a process had to be given a page, while it took large blocks in turn."""
    done = subprocess.run([sys.executable, '-c', CODE, how], capture_output=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != 'linux', reason="it sets up glibc's allocator")
def test_the_system_is_asked_for_memory_once():
    assert faults('kept') < BLOCK / PAGE
    assert faults('given back') > 5 * BLOCK / PAGE
