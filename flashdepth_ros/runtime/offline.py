"""Estimate whole videos in windows: every frame also depends on those after it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
import time
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn.modules.module import register_module_forward_pre_hook

from flashdepth_ros.errors import ConfigError, FlashDepthError, InputError
from flashdepth_ros.network import offline
from flashdepth_ros.network.config import ModelConfig
from flashdepth_ros.network.windows import NEW_FRAMES
from flashdepth_ros.runtime.depth_frame import DepthFrame, StageTimes
from flashdepth_ros.runtime.engines.torch_engine import TorchEngine
from flashdepth_ros.runtime.estimator import DepthEstimator
from flashdepth_ros.runtime.preprocess import check_rgb
from flashdepth_ros.runtime.sequence import FrameTag, SequencePosition
from flashdepth_ros.runtime.windows import check_windows


class VideoFrame(Protocol):
    """A frame of a video."""

    @property
    def rgb(self) -> npt.NDArray[np.uint8]: ...
    @property
    def stamp_ns(self) -> int: ...
    @property
    def frame_id(self) -> str: ...


FrameT = TypeVar('FrameT', bound=VideoFrame)


def estimate_in_windows(
    estimator: DepthEstimator,
    frames: Iterable[FrameT],
    skip: Callable[[InputError], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[FrameT, DepthFrame]]:
    """
    Yield every frame with its depth; every sequence is a video of its own.

    At most two windows of frames are in memory. The estimator's state is not used.

    :param skip: is called for a frame that cannot be used.
    :param stop: is asked between the layers of the network, because a window can take a minute on
        a CPU; if it returns True, the frames without a final depth are left out.
    :raises ConfigError: the model has no temporal attention, or the engine is not PyTorch.
    :raises FlashDepthError: `frames` raised it; it is raised after the depth of all before.
    """
    check_windows(estimator.config, estimator.temporal)
    engine = estimator.engine
    if not isinstance(engine, TorchEngine):
        raise ConfigError(f'windows need engine torch, not {engine.name}')
    windows = _Windows(estimator.config, engine, stop)
    errors: list[FlashDepthError] = []
    prepared = _prepare(estimator, _until_error(frames, errors), skip)
    with suppress(_StoppedError):
        for _, sequence in groupby(prepared, key=lambda each: each.position.sequence_id):
            waiting: deque[_Prepared[FrameT]] = deque()
            for inverse_depth in offline(windows, _inputs(sequence, waiting)):
                # A window's time is that of its new frames; the end of a video may have fewer.
                frame_ms = windows.milliseconds / min(len(waiting), NEW_FRAMES)
                yield _finish(estimator, waiting.popleft(), inverse_depth, frame_ms)
    if errors:
        raise errors[0]


@dataclass
class _Prepared(Generic[FrameT]):
    """A frame, its place in its sequence and the network's input (3, h, w)."""

    frame: FrameT
    position: SequencePosition
    pixels: Tensor
    preprocess_ms: float


class _StoppedError(Exception):
    """The window is no longer wanted."""


class _Windows:
    """The network as `offline` needs it, run by an engine; it measures the time of a window."""

    def __init__(self, config: ModelConfig, engine: TorchEngine, stop: Callable[[], bool]) -> None:
        self.config, self._engine, self._stop = config, engine, stop
        self.milliseconds = 0.0

    def estimate_window(self, frames: Tensor) -> Tensor:
        """Return inverse depth (B, T, H, W) of windows (B, T, 3, H, W)."""
        start_s = time.perf_counter()
        hook = register_module_forward_pre_hook(self._check)
        try:
            inverse_depth = self._engine.run_window(frames)
        finally:
            hook.remove()
        self.milliseconds = 1e3 * (time.perf_counter() - start_s)
        return inverse_depth

    def _check(self, *_: object) -> None:
        if self._stop():
            raise _StoppedError


def _until_error(frames: Iterable[FrameT], errors: list[FlashDepthError]) -> Iterator[FrameT]:
    try:
        yield from frames
    except FlashDepthError as error:
        errors.append(error)


def _prepare(
    estimator: DepthEstimator, frames: Iterable[FrameT], skip: Callable[[InputError], None]
) -> Iterator[_Prepared[FrameT]]:
    for frame in frames:
        start_s = time.perf_counter()
        try:
            check_rgb(frame.rgb)
            height, width = frame.rgb.shape[:2]
            tag = FrameTag(frame.stamp_ns, height, width, frame.frame_id)
            position = estimator.sequence.add(tag)
        except InputError as error:
            skip(error)
            continue
        size = estimator.inference_size(height, width)
        # A copy, because the next image may be uploaded into the same memory.
        pixels = estimator.transfer.upload(frame.rgb, size)[0, 0].clone()
        yield _Prepared(frame, position, pixels, 1e3 * (time.perf_counter() - start_s))


def _inputs(
    sequence: Iterable[_Prepared[FrameT]], waiting: deque[_Prepared[FrameT]]
) -> Iterator[Tensor]:
    for each in sequence:
        waiting.append(each)
        yield each.pixels


def _finish(
    estimator: DepthEstimator, prepared: _Prepared[FrameT], inverse_depth: Tensor, frame_ms: float
) -> tuple[FrameT, DepthFrame]:
    start_s = time.perf_counter()
    height, width = inverse_depth.shape
    size = estimator.depth_size(prepared.frame.rgb.shape[:2], (height, width))
    pixels = estimator.transfer.download(inverse_depth[None, None], size).array()
    postprocess_ms = 1e3 * (time.perf_counter() - start_s)
    times = StageTimes(prepared.preprocess_ms, frame_ms, postprocess_ms)
    return prepared.frame, DepthFrame(pixels, prepared.position, times)
