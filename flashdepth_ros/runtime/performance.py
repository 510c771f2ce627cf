"""Work of a network in FLOP, peak rate of this computer, and time measurement."""

from functools import cache
from itertools import pairwise
import time

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from flashdepth_ros.runtime.engines.torch_engine import DTYPES
from flashdepth_ros.runtime.memory import peak_resident_bytes, resident_bytes

_SIDES = {'cpu': 2048, 'cuda': 8192}
"""Of the matrices whose product gives the peak rate; smaller ones measure the launch on a GPU."""
_TRIES = 10


def count_flops(model: nn.Module, shape: tuple[int, ...]) -> int:
    """
    Return the number of multiplications and additions of one frame, including attention.

    Nothing is computed: fake tensors have shapes only. They are on a device with autocast, which
    the meta device has not.

    :param shape: of the network input.
    """
    fake = FakeTensorMode()
    entries: dict[str, Tensor] = {
        name: fake.from_tensor(entry)
        for name, entry in (*model.named_parameters(), *model.named_buffers())
    }
    device = next(model.parameters()).device
    # PyTorch's own table lacks the fused attention of a CPU.
    fused = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _count_attention}
    with fake, FlopCounterMode(display=False, custom_mapping=fused) as counter:
        functional_call(model, entries, (torch.zeros(shape, device=device),))
    return counter.get_total_flops()


def _count_attention(
    query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...], *_: object, **__: object
) -> int:
    """Return the FLOP of attention from the shapes (B, heads, N, C) of its arguments."""
    return int(sdpa_flop_count(query, key, value))


@cache
def peak_flops(device: torch.device, precision: str) -> float:
    """
    Return the best rate of a large matrix product in a precision, FLOP/s.

    int8 is measured on the CPU only; its operations count like floating-point operations.
    """
    side = _SIDES[device.type]
    if precision == 'int8':
        left, right = (torch.randint(-9, 9, (side, side), dtype=torch.int8) for _ in range(2))
        multiply = torch._int_mm
    else:
        left, right = (
            torch.randn(side, side, device=device).to(DTYPES[precision]) for _ in range(2)
        )
        multiply = torch.mm
    best_s = min(_seconds(multiply, left, right) for _ in range(_TRIES))
    return 2 * side**3 / best_s


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


def memory_bytes(device: torch.device) -> int:
    """Return the memory of the process, or what PyTorch has reserved on a GPU."""
    return torch.cuda.memory_reserved(device) if device.type == 'cuda' else resident_bytes()


def peak_memory_bytes(device: torch.device) -> int:
    """Return the peak of `memory_bytes`."""
    if device.type == 'cuda':
        return torch.cuda.max_memory_reserved(device)
    return peak_resident_bytes()
