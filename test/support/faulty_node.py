"""
A depth node whose parts fail on request.

The estimator fails as the first pixel of an image says, or runs out of memory with more than
`PIXELS_MAX` of the network input; a change of the parameter `reset.max_gap`
to `REFUSED_S` raises, and so does a callback of the executor, once.
"""

import math
import sys
import threading

from flashdepth_ros.entry_point import run_process
from flashdepth_ros.node import process, watchdog
from flashdepth_ros.runtime.sequence import Sequence
from flashdepth_ros.runtime.settings import create_estimator

KEY_ERROR, SYSTEM_EXIT, HANG, NO_MEMORY, LOST_DEVICE = 1, 2, 3, 4, 5
ERRORS = {
    KEY_ERROR: KeyError('missing'),
    LOST_DEVICE: RuntimeError('CUDA error: an illegal memory access was encountered\nCompile'),
}
PIXELS_MAX = 98 * 70
REFUSED_S = 13.0


class FaultySequence(Sequence):
    @property
    def policy(self):
        return self._policy

    @policy.setter
    def policy(self, policy):
        if policy.max_gap_s == REFUSED_S:
            raise ZeroDivisionError('division by zero')
        self._policy = policy


def load(parameters):
    """Return the estimator for the parameters, with its failures."""
    estimator = create_estimator(parameters)
    estimator.sequence = FaultySequence()
    prepare, memory = estimator.prepare, estimator.engine.device_memory_bytes
    memory_fails = iter([False, False, True])

    def fail_or_prepare(rgb, *arguments):
        failure = int(rgb[0, 0, 0])
        if failure in ERRORS:
            raise ERRORS[failure]
        if failure == SYSTEM_EXIT:
            sys.exit(3)
        if (
            failure == NO_MEMORY
            and math.prod(estimator.inference_size(*rgb.shape[:2])) > PIXELS_MAX
        ):
            import torch

            raise torch.OutOfMemoryError('CUDA out of memory')
        if failure == HANG:
            threading.Event().wait()
        return prepare(rgb, *arguments)

    def fail_or_return_memory():
        if next(memory_fails, False):
            raise OSError('no such device')
        return memory()

    estimator.prepare = fail_or_prepare
    estimator.engine.device_memory_bytes = fail_or_return_memory
    return estimator


if __name__ == '__main__':
    watchdog.REPORT_S, watchdog.REPLACE_S, watchdog.SLOWER = 1.5, 3.0, 1.0
    sys.exit(run_process('depth_node', lambda: process.main(load=load)))
