"""Emulate a GPU on the CPU; copies run as late as possible, so that a missing wait is detected."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.engines.graph_engine import GraphEngine
from flashdepth_ros.runtime.gpu_check.bench import repeat
from flashdepth_ros.runtime.tensor_transfer import GpuTransfer
from support import golden_models

CPU = torch.device('cpu')


class Recorder:
    """Replays a function into the memory of its first outputs, like a CUDA graph."""

    def __init__(self):
        self.captures = 0

    def __call__(self, run):
        self.captures += 1
        return repeat(run)


@dataclass
class LateEvent:
    """An event that is reached only when something waits for it."""

    work: Callable[[], object] = lambda: None
    reached: bool = False

    def synchronize(self):
        if not self.reached:
            self.reached = True
            self.work()


@dataclass
class LateCopyStream:
    """Copies when something waits for the copy; logs the request and the end of each copy."""

    name: str
    log: list[str] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)

    def record_compute(self):
        return LateEvent()

    def copy(self, source, target, after):
        number = len(self.targets)
        self.targets.append(target.data_ptr())
        self.log.append(f'{self.name} {number}')

        def run_copy():
            after.synchronize()
            target.copy_(source)
            self.log.append(f'{self.name} {number} done')

        return LateEvent(run_copy)

    def delay_compute(self, until):
        until.synchronize()


def emulate_gpu(estimator: DepthEstimator, preset: str) -> list[str]:
    """Make an estimator with golden weights run as on a GPU; return the log of its copies."""
    log: list[str] = []
    estimator.engine = GraphEngine(golden_models.golden_model(preset), CPU, 'fp32', Recorder())
    streams = LateCopyStream('upload', log), LateCopyStream('download', log)
    estimator.transfer = GpuTransfer(CPU, streams)
    return log
