"""What a GPU is asked for, done by a CPU as late as may be: who does not wait reads the wrong."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.engines.graph_engine import GraphEngine
from flashdepth_ros.runtime.transfer import GpuTransfer
from support import golden_models

CPU = torch.device('cpu')


class Recorder:
    """Repeats a run into the memory of its first results, as a replayed graph would."""

    def __init__(self):
        self.captures = 0

    def __call__(self, run):
        self.captures += 1
        maps, state = made = run()

        def repeat():
            again, after = run()
            maps.copy_(again)
            if state is not None:
                state.ssm.copy_(after.ssm)

        return repeat, made


@dataclass
class Moment:
    """Comes when it is waited for, and not before."""

    work: Callable[[], object] = lambda: None
    come: bool = False

    def synchronize(self):
        if not self.come:
            self.come = True
            self.work()


@dataclass
class LateLane:
    """Copies when the copy is waited for; `log` gets a line at its start and at its end."""

    name: str
    log: list[str] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)

    def mark(self):
        return Moment()

    def copy(self, source, target, after):
        number = len(self.targets)
        self.targets.append(target.data_ptr())
        self.log.append(f'{self.name} {number}')

        def carry():
            after.synchronize()
            target.copy_(source)
            self.log.append(f'{self.name} {number} done')

        return Moment(carry)

    def hold(self, until):
        until.synchronize()


def like_a_gpu(estimator: DepthEstimator, preset: str) -> list[str]:
    """Let an estimator with golden weights run as on a GPU; return the log of its copies."""
    log: list[str] = []
    estimator.engine = GraphEngine(golden_models.golden_model(preset), CPU, 'fp32', Recorder())
    estimator.transfer = GpuTransfer(CPU, (LateLane('there', log), LateLane('back', log)))
    return log
