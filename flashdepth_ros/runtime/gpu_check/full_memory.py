"""A check of captures for which the memory of the GPU does not suffice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from flashdepth_ros.runtime.engines.graph_engine import GraphEngine
from flashdepth_ros.runtime.engines.torch_engine import TorchEngine
from flashdepth_ros.runtime.gpu_check.bench import Bench, deviation, stream

_HEADROOM = 1.15
"""Of the memory that eager frames need: a graph with its own copies needs more."""
_LIMIT = 0.01


def full_memory(bench: Bench) -> Iterator[dict[str, Any]]:
    """Capture with little more memory than eager frames need, then capture a small size."""
    name, precision = 'flashdepth-full', bench.precisions[0]
    large, small = (bench.frames(3, bench.size(*size)) for size in ((2044, 1148), (644, 364)))
    eager = TorchEngine(bench.model(name), bench.device, precision)
    expected = [[each.cpu() for each in stream(eager.run, frames)] for frames in (large, small)]
    needed_mb = bench.reserved_mb()
    del eager
    bench.free()
    engine = _failing(bench) if bench.rehearsal else bench.engine(bench.model(name), precision)
    with _memory_limit(bench, needed_mb):
        engine.prepare(large[0])
        differences = deviation(stream(engine.run, large), expected[0])
        engine.prepare(small[0])
        differences += deviation(stream(engine.run, small), expected[1])
    graphs, worst = len(engine.captured_shapes), max(differences)
    row = {'limit_mb': needed_mb, 'graphs': graphs, 'deviation': worst}
    yield row | {'ok': worst < _LIMIT}


@contextmanager
def _memory_limit(bench: Bench, needed_mb: float | None) -> Iterator[None]:
    """Let PyTorch reserve little more than an amount of memory on a GPU."""
    if needed_mb is None:
        yield
        return
    total_mb = torch.cuda.get_device_properties(bench.device).total_memory / 1e6
    share = min(1.0, _HEADROOM * needed_mb / total_mb)
    torch.cuda.set_per_process_memory_fraction(share, bench.device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, bench.device)


def _failing(bench: Bench) -> GraphEngine:
    """Return an engine whose captures fail as without memory, for a rehearsal."""

    def fail(_: object) -> Any:
        raise torch.OutOfMemoryError('CUDA out of memory')

    return GraphEngine(bench.model('flashdepth-full'), bench.device, bench.precisions[0], fail)
