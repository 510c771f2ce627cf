"""Checks: each yields rows with `ok`, and the figures that it is judged by."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from flashdepth_ros.runtime.engines.graph_engine import GraphEngine
from flashdepth_ros.runtime.engines.torch_engine import TorchEngine
from flashdepth_ros.runtime.gpu_check.bench import (
    STEP_NS,
    Bench,
    deviation,
    estimate_ahead,
    spoil,
    stream,
)
from flashdepth_ros.runtime.performance import synchronise
from flashdepth_ros.runtime.preprocess import resize_on_cpu
from flashdepth_ros.runtime.sequence import ResetReason
from flashdepth_ros.runtime.tensor_transfer import resize_on_device

Row = dict[str, Any]
_PARITY = 1e-4
"""Of inverse depth times 100, whose values are about 5."""
_LOW_PRECISION = 0.01
_AREA_LEVELS = 0.02


def parity(bench: Bench) -> Iterator[Row]:
    """Compare IEEE float32 on the device with the CPU, where golden vectors prove the module."""
    for name, size in (('flashdepth-s', (252, 182)), ('flashdepth-full', (602, 518))):
        frames = bench.frames(3, bench.size(*size))
        reference, engine = bench.model(name), bench.engine(bench.model(name), 'fp32')
        with torch.inference_mode():
            expected = stream(reference, [frame.cpu() for frame in frames])
            estimates = stream(engine.run, frames)
        largest = max(
            float((100 * (a.cpu() - b)).abs().max())
            for a, b in zip(estimates, expected, strict=True)
        )
        yield {'model': name, 'largest_difference': largest, 'ok': largest < _PARITY}


def graphs(bench: Bench) -> Iterator[Row]:
    """Compare captured graphs with eager mode, over streams with a reset."""
    for precision in ('fp32', 'bf16') if bench.rehearsal else ('fp32', 'bf16', 'fp16'):
        frames = bench.frames(bench.count(20), bench.size(644, 364))
        half = len(frames) // 2
        eager = TorchEngine(bench.model('flashdepth-full'), bench.device, precision)
        graph = bench.engine(bench.model('flashdepth-full'), precision)
        differences = []
        for part in (frames[:half], frames[half:]):
            differences += deviation(stream(graph.run, part), stream(eager.run, part))
        limit = 1e-5 if precision == 'fp32' else _LOW_PRECISION
        yield {
            'precision': precision,
            'deviation': max(differences),
            'ok': max(differences) < limit,
        }


def sizes(bench: Bench) -> Iterator[Row]:
    """Run size A, size B, fill freed memory with NaN, run A again: bit for bit as at first."""
    engine = bench.engine(bench.model('flashdepth-full'), 'bf16')
    first, second = (bench.frames(2, bench.size(*size)) for size in ((924, 518), (644, 364)))
    for each in (first, second):
        engine.prepare(each[0])
    before = [each.clone() for each in stream(engine.run, first)]
    stream(engine.run, second)
    poison = [torch.full((2**20,), torch.nan, device=bench.device) for _ in range(64)]
    del poison
    after = stream(engine.run, first)
    yield {'ok': all(torch.equal(a, b) for a, b in zip(before, after, strict=True))}


def precisions(bench: Bench) -> Iterator[Row]:
    """Compare lower precision with IEEE float32 over 50 frames: within 1 %, not growing."""
    frames = bench.frames(bench.count(50), bench.size(644, 364))
    expected = stream(bench.engine(bench.model('flashdepth-full'), 'fp32').run, frames)
    for precision in ('bf16',) if bench.rehearsal else ('bf16', 'fp16'):
        engine = bench.engine(bench.model('flashdepth-full'), precision)
        each = deviation(stream(engine.run, frames), expected)
        third = max(1, len(each) // 3)
        start, end = (sum(part) / third for part in (each[:third], each[-third:]))
        good = max(each) < _LOW_PRECISION and end < 1.5 * start + 1e-4
        yield {'precision': precision, 'start': start, 'end': end, 'max': max(each), 'ok': good}


def ahead(bench: Bench) -> Iterator[Row]:
    """Compare frames submitted ahead with frames estimated one by one, bit for bit."""
    shapes = [bench.size(640, 480)] * 3 + [bench.size(480, 320)] * 2
    images = [
        image
        for _ in range(bench.count(50) // len(shapes) + 1)
        for shape in shapes
        for image in bench.images(1, shape)
    ]
    alone, submitted = (
        bench.estimator('flashdepth-s', bench.precisions[0], 364) for _ in range(2)
    )
    expected = [
        alone.estimate(image, index * STEP_NS)
        for index, image in enumerate(spoil(alone, images, 2))
    ]
    found = list(estimate_ahead(submitted, spoil(submitted, images, 2)))
    same = [
        a.position == b.position and bool((a.inverse_depth == b.inverse_depth).all())
        for a, b in zip(found, expected, strict=True)
    ]
    resets = sum(each.reset_reason == ResetReason.NON_FINITE for each in found)
    good = all(same) and resets == 1
    yield {'frames': len(same), 'equal': sum(same), 'ahead': submitted.ahead, 'ok': good}


def resizing(bench: Bench) -> Iterator[Row]:
    """Compare images resized on the device with OpenCV, in grey levels."""
    for source, target in (((1080, 1920), (448, 588)), ((480, 640), (364, 490))):
        (image,) = bench.images(1, source)
        on_device = resize_on_device(torch.from_numpy(image).to(bench.device), target)
        expected = torch.from_numpy(resize_on_cpu(image, target)).permute(2, 0, 1)
        difference = float((on_device[0].cpu() - expected).abs().max())
        yield {'from': source, 'to': target, 'levels': difference, 'ok': difference < _AREA_LEVELS}


def threads(bench: Bench) -> Iterator[Row]:
    """Run two engines that capture three sizes each at the same time."""

    def run(engine: GraphEngine) -> list[torch.Tensor]:
        estimates = []
        for size in ((644, 364), (490, 364), (364, 280)):
            estimates += stream(engine.run, bench.frames(3, bench.size(*size)))
        synchronise(bench.device)
        return estimates

    engines = [bench.engine(bench.model('flashdepth-s'), 'bf16') for _ in range(3)]
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(run, engines[:2])
    alone = run(engines[2])
    same = [
        torch.equal(a, b) and torch.equal(a, c) for a, b, c in zip(one, other, alone, strict=True)
    ]
    yield {'frames': len(same), 'equal': sum(same), 'ok': all(same)}


def memory(bench: Bench) -> Iterator[Row]:
    """Run many sizes: the reserved memory does not grow once all graphs are in use."""
    engine, reserved = bench.engine(bench.model('flashdepth-s'), 'bf16'), []
    widths = [364 + 28 * index for index in range(6 if bench.rehearsal else 16)]
    for width in widths:
        frames = bench.frames(2, bench.size(width, 364))
        engine.prepare(frames[0])
        stream(engine.run, frames)
        if not bench.rehearsal:
            reserved.append(round(torch.cuda.memory_reserved(bench.device) / 1e6))
    graphs = len(engine.captured_shapes)
    # The largest size has twice the pixels of the first; eight pools would take eight times more.
    bounded = not reserved or max(reserved) < 4 * reserved[0]
    yield {'sizes': len(widths), 'graphs': graphs, 'reserved_mb': reserved, 'ok': bounded}
