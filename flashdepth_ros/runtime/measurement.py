"""One measurement of `flashdepth bench`: one network, size, engine and precision."""

from dataclasses import dataclass
from pathlib import Path
import statistics
import time

import torch
from torch import Tensor
import torch.nn.functional as F

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network import Network, create_model, load_weights
from flashdepth_ros.runtime.engines import Engine, EngineChoice, create_engine, load_engine
from flashdepth_ros.runtime.engines.exported_engine import ExportedEngine
from flashdepth_ros.runtime.engines.exported_model import is_exported
from flashdepth_ros.runtime.engines.torch_engine import TorchEngine
from flashdepth_ros.runtime.performance import (
    Stopwatch,
    count_flops,
    memory_bytes,
    peak_flops,
    peak_memory_bytes,
    synchronise,
)
from flashdepth_ros.runtime.transfer import Array
from flashdepth_ros.runtime.weights import find_weights

_PRELOADED_FRAMES = 8
"""Number of different frames in memory; a longer stream repeats them."""
_COMPARED_FRAMES = 3
_WARM_UP_FRAMES = 3
"""Frames until memory use is constant; the paper warms up with one."""


@dataclass(frozen=True)
class Case:
    """The configuration to measure."""

    model: str
    size: tuple[int, int]
    """Width and height, px."""
    choice: EngineChoice
    frames: int
    weights: str = ''
    """A file, also an exported model; '': those of the preset, or random ones."""


@dataclass(frozen=True)
class Measurement:
    """The result of one case."""

    model: str
    weights: str
    """'own' (those of the preset), 'random', or the name of a file."""
    width: int
    height: int
    engine: str
    reason: str
    """Why this engine was chosen; '' if it was requested by name."""
    precision: str
    device: str
    threads: int
    median_ms: float
    p95_ms: float
    fps: float
    """Number of frames divided by their total time, as in the paper."""
    gflop: float
    """Work of one frame, including attention."""
    gflops: float
    peak_gflops: float
    """Rate of a large matrix product in this precision."""
    peak_share: float
    memory_peak_mib: float
    """Of the process; on CUDA of what PyTorch reserves on the GPU."""
    memory_growth_mib: float
    deviation: float
    """Mean difference of inverse depth from eager float32, divided by its mean."""


def measure(case: Case) -> Measurement:
    """
    Measure one case; run it in a new process, because memory is the peak of the process.

    :raises ConfigError: the model, device, engine or precision is unknown or not available.
    """
    torch.manual_seed(0)
    engine, weights = _load_engine(case)
    device = torch.device(str(engine.device))
    width, height = case.size
    frames = [random_frame(height, width) for _ in range(_PRELOADED_FRAMES)]
    engine.prepare(_on_device(engine, torch.cat(frames)))
    on_device = [_on_device(engine, frame) for frame in frames]
    each_ms, total_s, growth = _time_stream(engine, on_device, case.frames)
    memory = peak_memory_bytes(device)
    reference, _ = _load_model(case)  # the engine may have changed the first one's weights
    work = count_flops(reference, tuple(frames[0].shape))
    peak = peak_flops(device, engine.precision)
    rate = work * len(each_ms) / total_s
    return Measurement(
        case.model,
        weights,
        width,
        height,
        engine.name,
        engine.reason,
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
        deviation(engine, reference, frames[:_COMPARED_FRAMES]),
    )


def deviation(engine: Engine, reference: Network, frames: list[Tensor]) -> float:
    """
    Return the mean difference from the module in eager float32 over a stream, relative.

    The module runs on the device of an engine of PyTorch: on a GPU in IEEE float32, too.
    """
    device = torch.device(str(engine.device)) if isinstance(engine, TorchEngine) else 'cpu'
    reference = reference.to(device)
    state, expected_state, differences, means = None, None, [], []
    for frame in frames:
        prediction, state = engine.run(_on_device(engine, frame), state)
        with torch.inference_mode():
            expected, expected_state = reference(frame.to(device), expected_state)
        error = torch.as_tensor(prediction).to(device) - expected
        differences.append(float(error.abs().mean()))
        means.append(float(expected.mean()))
    return sum(differences) / sum(means) if sum(means) else float('nan')


def _load_engine(case: Case) -> tuple[Engine, str]:
    """Return the engine and which weights it has."""
    if is_exported(case.weights):
        _, engine = load_engine(case.model, case.weights, case.choice)
        return engine, Path(case.weights).name
    model, weights = _load_model(case)
    return create_engine(model, case.choice), weights


def _load_model(case: Case) -> tuple[Network, str]:
    """Return a network and which weights it has; random ones take the same time."""
    torch.manual_seed(0)
    model = create_model(case.model)
    if case.weights and not is_exported(case.weights):
        load_weights(model, case.weights)
        return model, Path(case.weights).name
    try:
        load_weights(model, find_weights(model.config))
    except CheckpointError:
        return model, 'random'
    return model, 'own'


def _on_device(engine: Engine, frames: Tensor) -> Array:
    """Return frames as the engine takes them: an exported model takes arrays."""
    return frames.numpy() if isinstance(engine, ExportedEngine) else frames.to(engine.device)


def random_frame(height: int, width: int) -> Tensor:
    """Return a random frame with the spectrum of a natural image: fine detail is weaker."""
    sizes = [(max(1, height >> level), max(1, width >> level)) for level in range(8)]
    layers = [
        2.0 ** (level - 4)
        * F.interpolate(torch.randn(1, 3, *size), (height, width), mode='bilinear')
        for level, size in enumerate(sizes)
    ]
    frame = torch.stack(layers).sum(dim=0)
    return ((frame - frame.mean()) / frame.std()).unsqueeze(0)


def _time_stream(
    engine: Engine, frames: list[Array], count: int
) -> tuple[list[float], float, int]:
    """Return the time of each frame (ms), the total time (s) and the memory growth (bytes)."""
    state = None
    for index in range(_WARM_UP_FRAMES):
        _, state = engine.run(frames[index], state, reuse_state=True)
    device = torch.device(str(engine.device))
    synchronise(device)
    memory_before, stopwatch = memory_bytes(device), Stopwatch(device)
    start_s = time.perf_counter()
    stopwatch.lap()
    for index in range(count):
        _, state = engine.run(frames[index % len(frames)], state, reuse_state=True)
        stopwatch.lap()
    synchronise(device)
    total_s = time.perf_counter() - start_s
    return stopwatch.laps_ms(), total_s, memory_bytes(device) - memory_before
