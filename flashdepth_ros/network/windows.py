"""
Estimate videos of any length in overlapping windows (arXiv 2501.12375, key-frame referencing).

A window sees two key frames and eight last frames of the window before it, and 22 new frames. The
key frames tell its scale and shift; over the eight frames the two windows are blended.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

import torch
from torch import Tensor

from flashdepth_ros.errors import InputError
from flashdepth_ros.network.config import WINDOW, ModelConfig

_KEY_FRAMES = (0, 12)
"""Places, in the window before, of the frames that also begin the next one."""
_BLENDED = 8
NEW_FRAMES = WINDOW - len(_KEY_FRAMES) - _BLENDED
"""Number of new frames in each window after the first."""


class WindowNetwork(Protocol):
    """A network that estimates windows, such as `VideoDepthAnything`."""

    config: ModelConfig

    def estimate_window(self, frames: Tensor) -> Tensor:
        """Return inverse depth (B, T, H, W) of frames (B, T, 3, H, W); T is at most 32."""


def window(model: WindowNetwork, frames: Tensor) -> Tensor:
    """
    Estimate inverse depth of windows in which every frame sees all others.

    :param frames: (B, T, 3, H, W) RGB, normalised; T at most 32; H and W multiples of 14.
    :return: inverse depth (B, T, H, W) float32, in 1/m for metric models.
    :raises InputError: a wrong shape, or a network without temporal attention.
    """
    _check_model(model)
    return model.estimate_window(frames)


def offline(model: WindowNetwork, frames: Iterable[Tensor]) -> Iterator[Tensor]:
    """
    Estimate inverse depth of a video of any length; keep at most two windows in memory.

    :param frames: (3, H, W) each, RGB, normalised; H and W multiples of 14, all of one size.
    :return: inverse depth (H, W) float32 of each frame, in 1/m for metric models; of the others in
        the scale of the first window.
    :raises InputError: a network without temporal attention; while iterating, a wrong shape or
        several sizes.
    """
    _check_model(model)
    return _estimate(model, iter(frames))


def _estimate(model: WindowNetwork, frames: Iterator[Tensor]) -> Iterator[Tensor]:
    alignment = _Alignment(model.config.metric)
    inputs = list(islice(frames, WINDOW))
    count, end = len(inputs), WINDOW  # number of frames: read so far, up to the end of the window
    pending: list[Tensor] = []
    while inputs:
        inputs += inputs[-1:] * (WINDOW - len(inputs))
        _check_frames(inputs)
        with torch.no_grad():
            estimates = model.estimate_window(torch.stack(inputs).unsqueeze(0))[0]
            # Windows are blended in the unit of the network: depth, if it is metric.
            estimates = estimates.reciprocal() if model.config.metric else estimates
            pending = _join(pending, alignment.align(estimates))
        copies = end - count
        finished = len(pending) - max(copies, _BLENDED)
        for estimate in pending[:finished]:
            yield estimate.reciprocal() if model.config.metric else estimate
        if copies >= _BLENDED:
            return
        pending = pending[finished:]
        new = list(islice(frames, NEW_FRAMES))
        inputs = [inputs[place] for place in (*_KEY_FRAMES, *range(-_BLENDED, 0))] + new
        count, end = count + len(new), end + NEW_FRAMES


def _check_model(model: WindowNetwork) -> None:
    if not hasattr(model, 'estimate_window'):
        raise InputError(f'{model.config.name} has no windows; a Video Depth Anything expected')


def _check_frames(frames: Sequence[Tensor]) -> None:
    for frame in frames:
        if not isinstance(frame, Tensor) or frame.ndim != 3:
            given = tuple(frame.shape) if isinstance(frame, Tensor) else type(frame).__name__
            raise InputError(f'frame {given} given, tensor (3, H, W) expected')
    if len({tuple(frame.shape) for frame in frames}) > 1:
        raise InputError('frames of several sizes given: estimate each size as its own video')


class _Alignment:
    """Brings windows to the scale and shift of the first one, by two frames that both contain."""

    def __init__(self, metric: bool) -> None:
        self._metric = metric
        self._references: list[Tensor] = []

    def align(self, estimates: Tensor) -> list[Tensor]:
        """Return the estimates (T, H, W) of the next window in the first one's scale."""
        if self._references and not self._metric:
            scale, shift = _fit(estimates[: len(_KEY_FRAMES)], torch.stack(self._references))
            estimates = (estimates * scale + shift).clamp(min=0.0)
        aligned = list(estimates)
        # The very first frame stays a reference for ever.
        first = self._references[0] if self._references else aligned[0]
        self._references = [first, aligned[_KEY_FRAMES[1]]]
        return aligned


def _fit(values: Tensor, targets: Tensor) -> tuple[float, float]:
    """Return scale and shift that bring finite `values` next to `targets`, by least squares."""
    known = values.isfinite() & targets.isfinite()
    if not known.any():
        return 1.0, 0.0
    values, targets = values[known].double(), targets[known].double()
    mean, target_mean = values.mean(), targets.mean()
    centred = values - mean
    variance = centred.square().mean()
    # Values that are all equal tell no scale.
    scale = (centred * (targets - target_mean)).mean() / variance if variance > 0 else 1.0
    return float(scale), float(target_mean - scale * mean)


def _join(pending: list[Tensor], aligned: list[Tensor]) -> list[Tensor]:
    """Blend the last estimates of a window with those of the next, and append its new ones."""
    if not pending:
        return aligned
    after = aligned[len(_KEY_FRAMES) :]
    weights = torch.linspace(0.0, 1.0, _BLENDED).tolist()
    blended = [
        (1.0 - weight) * old + weight * new
        for weight, old, new in zip(weights, pending, after, strict=False)
    ]
    return blended + after[_BLENDED:]
