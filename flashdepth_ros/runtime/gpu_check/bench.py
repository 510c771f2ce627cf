"""What all steps use: the device, networks whose every part has an effect, frames, engines."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
import gc
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from flashdepth_ros.network import Network, State, StreamState, create_model
from flashdepth_ros.runtime.depth_frame import DepthFrame, PendingFrame
from flashdepth_ros.runtime.engines.graph_engine import CudaRecorder, GraphEngine
from flashdepth_ros.runtime.estimator import DepthEstimator

_REHEARSAL = {
    'flashdepth-full': 'flashdepth-tiny',
    'flashdepth-l': 'flashdepth-tiny-l',
    'flashdepth-s': 'flashdepth-tiny-s',
    'depth-anything-v2-s': 'flashdepth-tiny-s',
    'video-depth-anything-s': 'video-depth-anything-tiny',
}
"""The preset that stands for another one in a rehearsal on a CPU."""
_REHEARSAL_SIDE = 112
_NORMALISED_SIZE = (112, 168)
_MEAN = 5.0
"""Of the output before its activation, whose standard deviation is 1."""
STEP_NS = 10**7
"""Time between the images of a stream."""


@dataclass(frozen=True)
class Bench:
    """The device of the steps; a CPU rehearses them with small networks and sizes."""

    device: torch.device

    @property
    def rehearsal(self) -> bool:
        """Whether this is a rehearsal on a CPU."""
        return self.device.type == 'cpu'

    def model(self, name: str) -> Network:
        """Return a preset with random weights, deterministic, in float32 on the CPU."""
        return deepcopy(_create_model(_REHEARSAL.get(name, name) if self.rehearsal else name))

    @property
    def precisions(self) -> tuple[str, ...]:
        """The precisions to time, the main one first; a CPU may be slow in all but fp32."""
        return ('fp32',) if self.rehearsal else ('bf16', 'fp16')

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return height and width of the network input, much smaller in a rehearsal."""
        if not self.rehearsal:
            return height, width
        scale = _REHEARSAL_SIDE / max(width, height)
        return max(28, int(height * scale) // 14 * 14), max(28, int(width * scale) // 14 * 14)

    def count(self, frames: int) -> int:
        """Return a number of frames, much smaller in a rehearsal."""
        return max(4, frames // 10) if self.rehearsal else frames

    def frames(self, count: int, size: tuple[int, int], batch: int = 1) -> list[Tensor]:
        """Return normalised frames (batch, 1, 3, H, W) on the device, a slowly moving pattern."""
        height, width = size
        generator = torch.Generator().manual_seed(1)
        noise = torch.randn(batch, 1, 3, height, width, generator=generator)
        frames = (torch.roll(noise, index, dims=-1) for index in range(count))
        return [frame.to(self.device) for frame in frames]

    def images(self, count: int, size: tuple[int, int]) -> list[npt.NDArray[np.uint8]]:
        """Return images (H, W, 3) of a moving pattern."""
        noise = np.random.default_rng(2).integers(0, 256, (*size, 3), np.uint8)
        return [np.ascontiguousarray(np.roll(noise, index, axis=1)) for index in range(count)]

    def engine(self, model: Network, precision: str, options: tuple[str, ...] = ()) -> GraphEngine:
        """Return the engine of CUDA graphs; in a rehearsal its replay repeats the run."""
        recorder: Any = repeat if self.rehearsal else CudaRecorder(self.device)
        return GraphEngine(model, self.device, precision, recorder, options)

    def estimator(self, name: str, precision: str, short_side: int = 0) -> DepthEstimator:
        """Return an estimator of a preset with random weights."""
        model = self.model(name)
        return DepthEstimator(
            model.config.name,
            dict(model.state_dict()),
            str(self.device),
            precision,
            'torch',
            short_side=min(short_side, _REHEARSAL_SIDE) if self.rehearsal else short_side,
        )

    def reserved_mb(self) -> float | None:
        """Return the memory that PyTorch reserved on the device at most; None on a CPU."""
        if self.rehearsal:
            return None
        return round(torch.cuda.max_memory_reserved(self.device) / 1e6)

    def free(self) -> None:
        """Release what a step has left."""
        gc.collect()
        if not self.rehearsal:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)


@lru_cache(2)
def _create_model(name: str) -> Network:
    """
    Return a preset with random weights whose every part changes the output.

    With PyTorch's own ones the output would be nearly its bias, and a fault of a thousandth of it.
    """
    torch.manual_seed(0)
    model = create_model(name)
    head = model.decoder.head
    assert head is not None
    assert head.conv3.bias is not None
    raw: list[Tensor] = []
    hook = head.register_forward_hook(lambda *arguments: raw.append(arguments[-1]))
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(module.weight)
        for parameter in model.parameters():
            if not parameter.any():  # of a last layer that has no effect before training
                nn.init.normal_(parameter, std=0.02)
        frames = torch.randn(1, 1, 3, *_NORMALISED_SIZE)
        model.step(frames, model.check_inputs(frames, None))
        hook.remove()
        mean, std = raw[0].mean(), raw[0].std()
        head.conv3.weight.div_(std)
        head.conv3.bias.sub_(mean).div_(std).add_(_MEAN)
    return model


def stream(
    run: Callable[[Tensor, State | None], tuple[Tensor, State | None]], frames: Sequence[Tensor]
) -> list[Tensor]:
    """Return inverse depth of a stream of frames."""
    state, estimates = None, []
    for frame in frames:
        inverse_depth, state = run(frame, state)
        estimates.append(inverse_depth)
    return estimates


def deviation(estimates: Sequence[Tensor], expected: Sequence[Tensor]) -> list[float]:
    """Return the mean difference of each frame, relative to its mean."""
    return [
        float((a.cpu() - b.cpu()).abs().mean() / b.cpu().mean())
        for a, b in zip(estimates, expected, strict=True)
    ]


def estimate_ahead(
    estimator: DepthEstimator, images: Iterable[npt.NDArray[np.uint8]], first: int = 0
) -> Iterator[DepthFrame]:
    """Submit images as far ahead as the estimator allows; yield their depth in order."""
    pending: deque[PendingFrame] = deque()
    for index, image in enumerate(images, start=first):
        pending.append(estimator.submit(image, index * STEP_NS))
        if len(pending) > estimator.ahead:
            yield pending.popleft().result()
    for each in pending:
        yield each.result()


def spoil(
    estimator: DepthEstimator, images: Iterable[npt.NDArray[np.uint8]], number: int
) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield images; before the one of a number, make the state of their stream NaN."""
    for index, image in enumerate(images):
        if index == number:
            assert isinstance(estimator.state, StreamState)
            estimator._state = StreamState(estimator.state.ssm * torch.nan)
        yield image


def repeat(run: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
    """Record as a graph would, on a CPU: the replay writes into the first outputs."""
    inverse_depth, update = outputs = run()

    def replay() -> None:
        again, new = run()
        for fixed, value in zip((inverse_depth, *update), (again, *new), strict=True):
            fixed.copy_(value)

    return replay, outputs
