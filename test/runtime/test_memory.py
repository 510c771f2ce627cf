import subprocess
import sys

import numpy as np
import pytest
import torch

from flashdepth_ros.runtime.device_errors import is_device_lost
from flashdepth_ros.runtime.memory import is_out_of_memory, resident_bytes, return_freed_memory

BLOCK = 50_000_000
PAGE = 4096
CODE = f"""
import resource, sys
import torch
from flashdepth_ros.runtime.memory import keep_freed_memory
if sys.argv[1] == 'keep':
    keep_freed_memory()
def page_faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def allocate():
    for _ in range(10):
        torch.full(({BLOCK},), 1, dtype=torch.uint8)
allocate()
before = page_faults()
allocate()
print(page_faults() - before)
"""


def page_faults(mode):
    """Return the page faults of a process that allocates and frees large blocks repeatedly."""
    done = subprocess.run([sys.executable, '-c', CODE, mode], capture_output=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != 'linux', reason='it configures the allocator of glibc')
def test_freed_memory_is_reused():
    assert page_faults('keep') < BLOCK / PAGE
    assert page_faults('default') > 5 * BLOCK / PAGE


@pytest.mark.skipif(sys.platform != 'linux', reason='it calls the allocator of glibc')
def test_freed_memory_is_returned():
    # Blocks too small for mappings of their own; the last one keeps the heap from shrinking.
    *blocks, last = [np.ones(100_000, np.uint8) for _ in range(1_000)]
    blocks.clear()
    before = resident_bytes()
    return_freed_memory()
    assert before - resident_bytes() > 50_000_000
    assert last.all()


def test_out_of_memory_is_recognised():
    with pytest.raises(RuntimeError) as on_cpu:
        torch.empty(2**60, dtype=torch.uint8)
    with pytest.raises(MemoryError) as in_numpy:
        np.empty(2**60, np.uint8)
    errors = [on_cpu.value, in_numpy.value, torch.OutOfMemoryError('CUDA out of memory')]
    assert all(map(is_out_of_memory, errors))
    others = [RuntimeError('mat1 and mat2 shapes cannot be multiplied'), OSError(12, 'no device')]
    assert not any(map(is_out_of_memory, others))


@pytest.mark.parametrize(
    ('error', 'lost'),
    [
        (RuntimeError('CUDA error: an illegal memory access was encountered'), True),
        (RuntimeError('CUDA error: device-side assert triggered\nCompile with'), True),
        (torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB'), False),
        (RuntimeError('CUDA error: operation not permitted when stream is capturing'), False),
        (RuntimeError('expected scalar type Float but found Half'), False),
        (KeyError('CUDA error: an illegal memory access'), False),
    ],
)
def test_errors_after_which_a_gpu_is_lost_are_known(error, lost):
    assert is_device_lost(error) == lost
