"""Figures: speed of networks and estimators, and where the time goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle, islice
import platform
import statistics
import subprocess
import time
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
import torch.nn.functional as F

from flashdepth_ros.runtime.engines.graph_engine import GraphEngine
from flashdepth_ros.runtime.gpu_check.bench import STEP_NS, Bench, estimate_ahead
from flashdepth_ros.runtime.performance import Stopwatch, synchronise

Row = dict[str, Any]
PAPER = ('flashdepth-full', (2044, 1148), 50)
_MODELS = (
    ('flashdepth-s', (924, 518)),
    ('flashdepth-s', (644, 364)),
    ('flashdepth-l', (924, 518)),
    ('flashdepth-tiny', (588, 448)),
    ('depth-anything-v2-s', (924, 518)),
    ('video-depth-anything-s', (924, 518)),
)
_KERNELS = 20


def machine(bench: Bench) -> Iterator[Row]:
    """Yield versions and the device."""
    row: Row = {'python': platform.python_version(), 'torch': torch.__version__}
    if not bench.rehearsal:
        properties = torch.cuda.get_device_properties(bench.device)
        row |= {
            'device': properties.name,
            'capability': f'{properties.major}.{properties.minor}',
            'memory_mb': round(properties.total_memory / 1e6),
            'cuda': torch.version.cuda,
            'cudnn': torch.backends.cudnn.version(),
            'state': _nvidia_smi(),
        }
    yield row


def full(bench: Bench) -> Iterator[Row]:
    """Time FlashDepth at 2K as in the paper: frames on the device, wall time over all of them."""
    name, size, count = PAPER
    for precision in bench.precisions:
        engine = bench.engine(bench.model(name), precision)
        for attempt in range(2):
            yield {'model': name, 'attempt': attempt, **throughput(bench, engine, size, count)}


def models(bench: Bench) -> Iterator[Row]:
    """Time the other networks at their sizes."""
    for name, size in _MODELS:
        for precision in bench.precisions:
            engine = bench.engine(bench.model(name), precision)
            yield {'model': name, **throughput(bench, engine, size, 100)}
            bench.free()


def live(bench: Bench) -> Iterator[Row]:
    """Time images in, depth out, as the node does it and ahead as `infer` does."""
    for name, size, short_side in (
        ('flashdepth-full', (2044, 1148), 1148),
        ('flashdepth-s', (640, 480), 364),
    ):
        estimator = bench.estimator(name, bench.precisions[0], short_side)
        images = bench.images(4, bench.size(*size))
        started_s = time.perf_counter()
        estimator.estimate(images[0], 0)
        first_ms = 1e3 * (time.perf_counter() - started_s)
        count, times_ms = bench.count(100), []
        for index in range(1, count):
            started_s = time.perf_counter()
            estimator.estimate(images[index % 4], index * STEP_NS)
            times_ms.append(1e3 * (time.perf_counter() - started_s))
        started_s = time.perf_counter()
        for _ in estimate_ahead(estimator, islice(cycle(images), count), first=count):
            pass
        seconds = time.perf_counter() - started_s
        yield {
            'model': name,
            'image': size,
            'first_ms': round(first_ms, 1),
            **_percentiles(times_ms),
            'submitted_fps': round(count / seconds, 1),
        }
        bench.free()


def batches(bench: Bench) -> Iterator[Row]:
    """Time frames of several cameras in one batch."""
    for batch in (1, 2, 4):
        engine = bench.engine(bench.model('flashdepth-s'), bench.precisions[0])
        row = throughput(bench, engine, (924, 518), 60, batch)
        yield {'model': 'flashdepth-s', 'batch': batch, **row}
        bench.free()


def attention(bench: Bench) -> Iterator[Row]:
    """Time the backends of attention at the sizes of student (2K) and context branch."""
    dtype = torch.float32 if bench.rehearsal else torch.bfloat16
    for heads, tokens in ((6, 11973), (16, 2171)):
        shape = (1, heads, max(64, tokens // 50) if bench.rehearsal else tokens, 64)
        query = torch.randn(shape, device=bench.device, dtype=dtype)
        expected = (
            F.scaled_dot_product_attention(*(query.double(),) * 3) if shape[2] < 4096 else None
        )
        for backend in (SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.MATH):
            row: Row = {'heads': heads, 'tokens': shape[2], 'backend': backend.name}
            try:
                with torch.inference_mode(), sdpa_kernel(backend):
                    run = partial(F.scaled_dot_product_attention, query, query, query)
                    result = run()
                    row['ms'] = round(median_ms(bench, run), 3)
            except RuntimeError as error:
                yield row | {'error': str(error).partition('\n')[0]}
                continue
            if expected is not None:
                row['difference'] = float((result.double() - expected).abs().max())
            yield row


def kernels(bench: Bench) -> Iterator[Row]:
    """Yield the kernels in which a frame at 2K spends its time, eagerly."""
    name, size, _ = PAPER
    engine = bench.engine(bench.model(name), bench.precisions[0])
    (frame,) = bench.frames(1, bench.size(*size))
    engine.run(frame, None)
    kinds = [torch.profiler.ProfilerActivity.CPU]
    if not bench.rehearsal:
        kinds.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=kinds) as profile:
        engine.run(frame, None)
        synchronise(bench.device)
    key = 'self_cpu_time_total' if bench.rehearsal else 'self_device_time_total'
    events = sorted(profile.key_averages(), key=lambda event: getattr(event, key), reverse=True)
    for event in events[:_KERNELS]:
        microseconds = getattr(event, key)
        yield {'kernel': event.key[:120], 'calls': event.count, 'us': round(microseconds)}


def throughput(
    bench: Bench, engine: GraphEngine, size: tuple[int, int], count: int, batch: int = 1
) -> Row:
    """Return the speed of a stream whose frames are on the device already."""
    frames, count = bench.frames(4, bench.size(*size), batch), bench.count(count)
    _, state = engine.run(frames[0], None, reuse_state=True)  # captures
    _, state = engine.run(frames[1], state, reuse_state=True)
    synchronise(bench.device)
    stopwatch, started_s = Stopwatch(bench.device), time.perf_counter()
    stopwatch.lap()
    for index in range(count):
        _, state = engine.run(frames[index % 4], state, reuse_state=True)
        stopwatch.lap()
    synchronise(bench.device)
    seconds = time.perf_counter() - started_s
    return {
        'size': size,
        'precision': engine.precision,
        'fps': round(batch * count / seconds, 1),
        **_percentiles(stopwatch.laps_ms()),
        'reserved_mb': bench.reserved_mb(),
        'graphs': len(engine.captured_shapes),
    }


def median_ms(bench: Bench, run: Callable[[], object]) -> float:
    """Return the time of a function on the device."""
    stopwatch = Stopwatch(bench.device)
    stopwatch.lap()
    for _ in range(bench.count(30)):
        run()
        stopwatch.lap()
    return statistics.median(stopwatch.laps_ms())


def _percentiles(times_ms: list[float]) -> Row:
    ordered = sorted(times_ms)
    return {
        'median_ms': round(statistics.median(ordered), 3),
        'p95_ms': round(ordered[int(0.95 * (len(ordered) - 1))], 3),
    }


def _nvidia_smi() -> str:
    query = 'name,driver_version,clocks.sm,clocks.max.sm,power.draw,temperature.gpu'
    command = ['nvidia-smi', f'--query-gpu={query}', '--format=csv,noheader']
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return found.stdout.strip()
