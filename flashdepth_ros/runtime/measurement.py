"""One line of `flashdepth bench`: one network, size, engine and precision, measured apart."""

from dataclasses import dataclass
import statistics
import time

import torch
from torch import Tensor
import torch.nn.functional as F

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network import FlashDepth, create_model, load_weights
from flashdepth_ros.runtime.engines import Engine, EngineChoice, create_engine
from flashdepth_ros.runtime.memory import peak_resident_bytes, resident_bytes
from flashdepth_ros.runtime.weights import find_weights
from flashdepth_ros.runtime.work import Stopwatch, count_flops, peak_flops, synchronise

_PRELOADED = 8
"""Different frames in memory; more of them are the same again."""
_COMPARED = 3
_WARM_UP = 3
"""Frames until memory has settled; the paper warms up with one."""


@dataclass(frozen=True)
class Case:
    """What is to be measured."""

    model: str
    size: tuple[int, int]
    """Width and height, px."""
    choice: EngineChoice
    frames: int


@dataclass(frozen=True)
class Measurement:
    """What was measured."""

    model: str
    weights: str
    """'own' or 'random'."""
    width: int
    height: int
    engine: str
    why: str
    precision: str
    device: str
    threads: int
    median_ms: float
    p95_ms: float
    fps: float
    """Frames over the time of all of them, as the paper counts."""
    gflop: float
    """Of one frame, attention included."""
    gflops: float
    peak_gflops: float
    """Of a large matrix product in this precision."""
    peak_share: float
    memory_peak_mib: float
    memory_growth_mib: float
    deviation: float
    """Mean difference of inverse depth from eager float32, over its mean."""


def measure(case: Case) -> Measurement:
    """
    Measure one case, best in a process of its own: memory is the process's peak.

    :raises ConfigError: a model, device, engine or precision that is not known here.
    """
    torch.manual_seed(0)
    model, weights = _model(case.model)
    engine = create_engine(model, case.choice)
    width, height = case.size
    frames = [_cloudy(height, width) for _ in range(_PRELOADED)]
    engine.prepare(torch.cat(frames).to(engine.device))
    each_ms, total_s, growth = _stream(engine, [f.to(engine.device) for f in frames], case.frames)
    memory = peak_resident_bytes()
    exact = _model_again(case.model)
    work = count_flops(exact, frames[0])
    peak = peak_flops(engine.device, engine.precision)
    rate = work * len(each_ms) / total_s
    return Measurement(
        case.model,
        weights,
        width,
        height,
        engine.name,
        engine.why,
        engine.precision,
        str(engine.device),
        torch.get_num_threads(),
        statistics.median(each_ms),
        sorted(each_ms)[int(0.95 * (len(each_ms) - 1))],
        len(each_ms) / total_s,
        work / 1e9,
        rate / 1e9,
        peak / 1e9,
        rate / peak,
        memory / 2**20,
        growth / 2**20,
        deviation(engine, exact, frames[:_COMPARED]),
    )


def deviation(engine: Engine, exact: FlashDepth, frames: list[Tensor]) -> float:
    """Return the mean difference of a stream from that of the module in eager float32."""
    state, exact_state, differences, means = None, None, [], []
    for frame in frames:
        ours, state = engine.run(frame.to(engine.device), state)
        with torch.inference_mode():
            theirs, exact_state = exact(frame, exact_state)
        differences.append(float((ours.cpu() - theirs).abs().mean()))
        means.append(float(theirs.mean()))
    return sum(differences) / sum(means) if sum(means) else float('nan')


def _model(name: str) -> tuple[FlashDepth, str]:
    """Return a network and whether its weights are its own; random ones take the same time."""
    torch.manual_seed(0)
    model = create_model(name)
    try:
        load_weights(model, find_weights(model.config))
    except CheckpointError:
        return model, 'random'
    return model, 'own'


def _cloudy(height: int, width: int) -> Tensor:
    """Return a frame whose detail is that of a picture: the finer, the fainter."""
    sizes = [(max(1, height >> level), max(1, width >> level)) for level in range(8)]
    layers = [
        2.0 ** (level - 4)
        * F.interpolate(torch.randn(1, 3, *size), (height, width), mode='bilinear')
        for level, size in enumerate(sizes)
    ]
    frame = torch.stack(layers).sum(dim=0)
    return ((frame - frame.mean()) / frame.std()).unsqueeze(0)


def _model_again(name: str) -> FlashDepth:
    return _model(name)[0]


def _stream(engine: Engine, frames: list[Tensor], count: int) -> tuple[list[float], float, int]:
    """Return the time of each frame, ms, that of all, s, and the growth of memory, bytes."""
    state = None
    for index in range(_WARM_UP):
        _, state = engine.run(frames[index], state)
    synchronise(engine.device)
    settled, stopwatch = resident_bytes(), Stopwatch(engine.device)
    start_s = time.perf_counter()
    stopwatch.lap()
    for index in range(count):
        _, state = engine.run(frames[index % len(frames)], state)
        stopwatch.lap()
    synchronise(engine.device)
    total_s = time.perf_counter() - start_s
    return stopwatch.laps_ms(), total_s, resident_bytes() - settled
