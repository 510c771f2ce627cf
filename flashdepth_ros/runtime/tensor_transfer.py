"""Copy images to tensors of PyTorch and inverse depth back, on a GPU asynchronously."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
import torch.nn.functional as F

from flashdepth_ros.runtime.device_depth import DeviceDepth
from flashdepth_ros.runtime.gpu_download import Event, GpuDownload, HostCopy
from flashdepth_ros.runtime.preprocess import MEAN, STD, needs_area_filter
from flashdepth_ros.runtime.transfer import CpuTransfer, Download, Transfer


def create_transfer(device: torch.device) -> Transfer:
    """Return the transfer of one stream to and from a device."""
    return CpuTensorTransfer() if device.type == 'cpu' else GpuTransfer(device)


class CpuTensorTransfer(CpuTransfer):
    """The same as `CpuTransfer`, with tensors that share the memory of the arrays."""

    def upload(self, rgb: npt.NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
        """Implement `Transfer.upload`."""
        return torch.from_numpy(super().upload(rgb, size))

    def download(
        self, inverse_depth: Tensor, size: tuple[int, int], unproven: Sequence[Tensor] = ()
    ) -> Download:
        """Implement `Transfer.download`; numpy is faster."""
        return super().download(inverse_depth.numpy(), size, [part.numpy() for part in unproven])

    def with_nan(self, inverse_depth: Tensor) -> Tensor:
        """Implement `Transfer.with_nan`."""
        return torch.where(inverse_depth.isfinite(), inverse_depth, torch.nan)


EventT = TypeVar('EventT', bound=Event)


class CopyStream(Protocol[EventT]):
    """Copies in order, asynchronously to the device's compute stream."""

    def record_compute(self) -> EventT:
        """Return an event for the end of all work submitted to the compute stream so far."""

    def copy(self, source: Tensor, target: Tensor, after: EventT) -> EventT:
        """Copy once the event `after` is reached; return an event for the end of the copy."""

    def delay_compute(self, until: EventT) -> None:
        """Make further work of the compute stream wait for an event."""


class GpuTransfer:
    """
    Copies bytes through page-locked memory, and resizes on the GPU.

    Two upload buffers alternate: while the network reads one, the next image is copied to the
    other.

    :param streams: streams for upload and download; tests replace them to run on a CPU.
    """

    ahead = 1

    def __init__(
        self, device: torch.device, streams: tuple[CopyStream[Any], CopyStream[Any]] | None = None
    ) -> None:
        self._device = device
        self._upload_stream: CopyStream[Any]
        self._download_stream: CopyStream[Any]
        self._upload_stream, self._download_stream = streams or (
            CudaCopyStream(device),
            CudaCopyStream(device),
        )
        self._pinned = device.type == 'cuda'
        mean, std = (torch.tensor(each, device=device).view(1, 3, 1, 1) for each in (MEAN, STD))
        self._scale, self._offset = 1.0 / (255.0 * std), -mean / std
        self._output_stream = torch.cuda.Stream(device) if self._pinned else None
        self._shape: tuple[int, ...] = ()
        self._buffers: Iterator[_UploadBuffer] = iter(())

    def upload(self, rgb: npt.NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
        """Implement `Transfer.upload`; the copy overlaps with earlier work of the network."""
        with self._uploaded(rgb) as image:
            pixels = resize_on_device(image, size)
            return torch.addcmul(self._offset, pixels, self._scale).unsqueeze(0)

    def download(
        self, inverse_depth: Tensor, size: tuple[int, int], unproven: Sequence[Tensor] = ()
    ) -> Download:
        """
        Implement `Transfer.download`; the copies overlap with later work of the network.

        The sum that tells whether all is finite is computed behind the network and copied with
        the depth: nothing waits for it between frames.
        """
        total = inverse_depth.sum()
        for part in unproven:
            total = total + part.sum()
        if tuple(inverse_depth.shape[-2:]) != size:
            inverse_depth = F.interpolate(
                inverse_depth, size, mode='bilinear', align_corners=False
            )
        computed = self._download_stream.record_compute()
        depth = inverse_depth[0, 0]
        return GpuDownload(
            self._start_copy(total, computed),
            self._start_copy(depth, computed),
            DeviceDepth(depth, computed, self._output_stream),
        )

    def _start_copy(self, source: Tensor, computed: Any) -> HostCopy:
        # New memory, because results must not change later; torch reuses freed pinned memory.
        host = torch.empty(source.shape, dtype=source.dtype, pin_memory=self._pinned)
        return HostCopy(source, host, self._download_stream.copy(source, host, computed))

    def with_nan(self, inverse_depth: Tensor) -> Tensor:
        """Implement `Transfer.with_nan`."""
        return torch.where(inverse_depth.isfinite(), inverse_depth, torch.nan)

    @contextmanager
    def _uploaded(self, rgb: npt.NDArray[np.uint8]) -> Iterator[Tensor]:
        """Provide the image (H, W, 3) on the device, valid inside the context."""
        if self._shape != rgb.shape:
            self._shape, self._buffers = rgb.shape, cycle([self._allocate(rgb) for _ in range(2)])
        buffer = next(self._buffers)
        buffer.copied.synchronize()
        np.copyto(buffer.host.numpy(), rgb)
        buffer.copied = self._upload_stream.copy(buffer.host, buffer.device, buffer.read)
        self._upload_stream.delay_compute(buffer.copied)
        try:
            yield buffer.device
        finally:
            buffer.read = self._upload_stream.record_compute()

    def _allocate(self, rgb: npt.NDArray[np.uint8]) -> _UploadBuffer:
        host = torch.empty(rgb.shape, dtype=torch.uint8, pin_memory=self._pinned)
        device = torch.empty(rgb.shape, dtype=torch.uint8, device=self._device)
        # Earlier work may still use the memory that torch assigned to these tensors.
        now = self._upload_stream.record_compute()
        return _UploadBuffer(host, device, now, now)


@dataclass
class _UploadBuffer:
    """Memory for one image in page-locked host memory and on the device."""

    host: Tensor
    device: Tensor
    copied: Event
    """When reached, `host` may be overwritten."""
    read: Event
    """When reached, `device` may be overwritten."""


class CudaCopyStream:
    """Copies on a separate CUDA stream."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)

    def record_compute(self) -> torch.cuda.Event:
        """Implement `CopyStream.record_compute`."""
        return torch.cuda.current_stream(self._device).record_event()

    def copy(self, source: Tensor, target: Tensor, after: torch.cuda.Event) -> torch.cuda.Event:
        """Implement `CopyStream.copy`."""
        with torch.cuda.stream(self._stream):
            self._stream.wait_event(after)
            target.copy_(source, non_blocking=True)
            return self._stream.record_event()

    def delay_compute(self, until: torch.cuda.Event) -> None:
        """Implement `CopyStream.delay_compute`."""
        torch.cuda.current_stream(self._device).wait_event(until)


def resize_on_device(rgb: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize an image (H, W, 3) uint8 to (1, 3, h, w) float32 on its device."""
    pixels = rgb.permute(2, 0, 1).unsqueeze(0).float()
    if tuple(rgb.shape[:2]) == size:
        return pixels
    if needs_area_filter(rgb.shape, size):
        # Not `mode='area'`, whose areas are whole pixels.
        rows, columns = (
            _area_weights(length, target, rgb.device)
            for length, target in zip(rgb.shape, size, strict=False)
        )
        return rows @ pixels @ columns.T
    return F.interpolate(pixels, size, mode='bicubic')


@lru_cache(maxsize=8)
def _area_weights(length: int, target: int, device: torch.device) -> Tensor:
    """Return the share (target, length) of each pixel in the area of each target pixel."""
    scale = length / target
    edges = (torch.arange(target + 1, dtype=torch.float64) * scale).unsqueeze(1)
    pixels = torch.arange(length, dtype=torch.float64)
    overlap = torch.minimum(edges[1:], pixels + 1) - torch.maximum(edges[:-1], pixels)
    return (overlap.clamp(min=0) / scale).float().to(device)
