"""What each option of `GPU_OPTIONS` brings, and how far it changes depth."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from flashdepth_ros.runtime.engines.requested import GPU_OPTIONS
from flashdepth_ros.runtime.gpu_check.bench import Bench, deviation, stream
from flashdepth_ros.runtime.gpu_check.table import PAPER, Row, throughput

_DEVIATION = 0.005
"""More than this is not worth the time."""


def options(bench: Bench) -> Iterator[Row]:
    """Time FlashDepth at 2K without and with each option, and compare depth."""
    name, size, count = PAPER
    frames, precision = bench.frames(3, bench.size(*size)), bench.precisions[0]
    expected = None
    # A rehearsal does not wait for a compiler.
    single = [each for each in GPU_OPTIONS if not (bench.rehearsal and each == 'compiled')]
    for chosen in ((), *((each,) for each in single)):
        engine = bench.engine(bench.model(name), precision, chosen)
        estimates = [each.clone() for each in stream(engine.run, frames)]
        expected = expected or estimates
        differences = deviation(estimates, expected)
        finite = all(bool(torch.isfinite(each).all()) for each in estimates)
        row = throughput(bench, engine, size, count)
        good = finite and max(differences) < _DEVIATION
        yield {'options': chosen, **row, 'deviation': max(differences), 'ok': good}
        del engine
        bench.free()
