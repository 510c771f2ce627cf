"""`flashdepth bench network`: what the network costs on this machine, and its temporal part."""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
import statistics
import sys
import time
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network import PRESETS, FlashDepth, StreamState, create_model
from flashdepth_ros.runtime.engine import EngineChoice, create_engine
from flashdepth_ros.runtime.memory import peak_resident_bytes, resident_bytes


@dataclass
class Stopwatch:
    """Times a module of the network from its hooks."""

    spent_ms: list[float] = field(default_factory=list)
    _start_s: float = 0.0

    def attach(self, module: torch.nn.Module) -> None:
        """Time every call of `module` from now on."""
        module.register_forward_pre_hook(self._begin)
        module.register_forward_hook(self._end)

    def _begin(self, *_: Any) -> None:
        self._start_s = time.perf_counter()

    def _end(self, *_: Any) -> None:
        self.spent_ms.append(1e3 * (time.perf_counter() - self._start_s))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument('--model', choices=tuple(PRESETS), default='flashdepth-s')
    parser.add_argument('--size', default='644x364', metavar='WxH', help='multiples of 14, px')
    parser.add_argument('--frames', type=int, default=20, help='timed frames (default 20)')
    parser.add_argument('--device', default='auto')
    parser.add_argument('--precision', default='auto')
    parser.add_argument('--engine', default='auto')


def run(arguments: argparse.Namespace) -> int:
    """Time one stream of random frames, with random weights, and print the table."""
    for line in measure(arguments):
        sys.stdout.write(line + '\n')
    return 0


def measure(arguments: argparse.Namespace) -> Iterator[str]:
    """
    Yield the lines of the table.

    :raises ConfigError: a size, model, device or precision that is not known.
    """
    width, height = parse_size(arguments.size)
    model = create_model(arguments.model)
    frame = torch.randn(1, 1, 3, height, width)
    flops = _flops(model, frame)
    stopwatch = Stopwatch()
    if model.temporal is not None:
        stopwatch.attach(model.temporal)
    choice = EngineChoice(arguments.device, arguments.precision, arguments.engine)
    engine = create_engine(model, choice)
    frame = frame.to(engine.device)
    yield f'{arguments.model} at {width}x{height}, {engine.name} on {engine.device}'
    yield f'{"precision":22} {engine.precision}, {torch.get_num_threads()} threads'
    spent_ms, growth = _stream(engine.run, frame, arguments.frames, stopwatch)
    frame_ms = statistics.median(spent_ms)
    yield f'{"a frame, median":22} {frame_ms:8.1f} ms   {1e3 / frame_ms:6.2f} frames/s'
    yield f'{"a frame, 95 %":22} {sorted(spent_ms)[int(0.95 * (len(spent_ms) - 1))]:8.1f} ms'
    yield f'{"work":22} {flops / 1e9:8.1f} GFLOP {flops / frame_ms / 1e6:6.1f} GFLOP/s'
    if stopwatch.spent_ms:
        temporal_ms = statistics.median(stopwatch.spent_ms)
        share = 100 * temporal_ms / frame_ms
        yield f'{"of it temporal":22} {temporal_ms:8.1f} ms   {share:6.2f} %'
    yield f'{"memory, peak":22} {peak_resident_bytes() / 2**20:8.0f} MiB'
    yield f'{"memory, growth":22} {growth / 2**20:8.1f} MiB over {arguments.frames} frames'


def parse_size(text: str) -> tuple[int, int]:
    """
    Return width and height of 'WxH', px.

    :raises ConfigError: it is not of that form.
    """
    width, _, height = text.lower().partition('x')
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise ConfigError(f'size {text!r} is not understood; WxH expected, such as 644x364')
    return int(width), int(height)


def _flops(model: FlashDepth, frame: Tensor) -> int:
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(frame)
    return counter.get_total_flops()


def _stream(
    infer: Callable[[Tensor, StreamState | None], tuple[Tensor, StreamState | None]],
    frame: Tensor,
    count: int,
    stopwatch: Stopwatch,
) -> tuple[list[float], int]:
    """Return the time of each frame, ms, and how much memory grew after the warm-up."""
    spent_ms: list[float] = []
    state, settled = None, 0
    for index in range(count + 3):
        if index == 3:
            settled = resident_bytes()
            spent_ms.clear()
            stopwatch.spent_ms.clear()
        start_s = time.perf_counter()
        maps, state = infer(frame, state)
        if maps.device.type == 'cuda':
            torch.cuda.synchronize(maps.device)
        spent_ms.append(1e3 * (time.perf_counter() - start_s))
    return spent_ms, resident_bytes() - settled
