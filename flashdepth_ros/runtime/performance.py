"""Work of a network in FLOP, peak rate of this computer, and time measurement."""

from functools import cache
from itertools import pairwise
import time

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from flashdepth_ros.runtime.engines.torch_engine import DTYPES

_SIDE = 2048
_TRIES = 10


def count_flops(model: nn.Module, frame: Tensor) -> int:
    """Return the number of multiplications and additions of one frame, including attention."""
    attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    counter = FlopCounterMode(display=False, custom_mapping={attention: _attention_flops})
    with torch.inference_mode(), counter:
        model(frame)
    return counter.get_total_flops()


def _attention_flops(
    query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...], *_: object, **__: object
) -> int:
    batch, heads, tokens, width = query
    return 2 * batch * heads * tokens * key[-2] * (width + value[-1])


@cache
def peak_flops(device: torch.device, precision: str) -> float:
    """
    Return the best rate of a large matrix product in a precision, FLOP/s.

    int8 is measured on the CPU only; its operations count like floating-point operations.
    """
    if precision == 'int8':
        left, right = (torch.randint(-9, 9, (_SIDE, _SIDE), dtype=torch.int8) for _ in range(2))
        multiply = torch._int_mm
    else:
        left, right = (torch.randn(_SIDE, _SIDE).to(device, DTYPES[precision]) for _ in range(2))
        multiply = torch.mm
    best_s = min(_seconds(multiply, left, right) for _ in range(_TRIES))
    return 2 * _SIDE**3 / best_s


def _seconds(multiply: object, left: Tensor, right: Tensor) -> float:
    assert callable(multiply)
    synchronise(left.device)
    start_s = time.perf_counter()
    multiply(left, right)
    synchronise(left.device)
    return time.perf_counter() - start_s


class Stopwatch:
    """Measures the time between points in a device's work without synchronising."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._events: list[torch.cuda.Event] = []
        self._times_s: list[float] = []

    def lap(self) -> None:
        """Record the time when all work submitted so far is done."""
        if self._device.type == 'cuda':
            event = torch.cuda.Event(enable_timing=True)
            event.record(torch.cuda.current_stream(self._device))
            self._events.append(event)
        else:
            self._times_s.append(time.perf_counter())

    def laps_ms(self) -> list[float]:
        """Wait for the device; return the times between the recorded points, ms."""
        synchronise(self._device)
        return [start.elapsed_time(end) for start, end in pairwise(self._events)] or [
            1e3 * (end - start) for start, end in pairwise(self._times_s)
        ]


def synchronise(device: torch.device) -> None:
    """Wait until a GPU has finished all submitted work."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
