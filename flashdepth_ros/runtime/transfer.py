"""An image to where the network runs, and its inverse depth back, beside its work if need be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Protocol, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
import torch.nn.functional as F

from flashdepth_ros.runtime.preprocess import (
    MEAN,
    STD,
    normalise_on_cpu,
    resize_on_cpu,
    resize_on_device,
)

Download = Callable[[], npt.NDArray[np.float32]]
"""Waits until the array is there, and returns it."""


class Transfer(Protocol):
    """The way to one device and back."""

    ahead: int
    """Frames to be given to the device before the one before them is asked for."""

    def upload(self, rgb: npt.NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
        """
        Return the normalised frame (1, 1, 3, h, w) float32 of an image (H, W, 3) uint8.

        It is resized bicubically, as the released networks expect.
        """

    def download(self, maps: Tensor, size: tuple[int, int]) -> Download:
        """Start to bring inverse depth (1, 1, h, w) back, resized to `size`."""


class CpuTransfer:
    """Nothing is carried: the image becomes a frame, and the map an array, at once."""

    ahead = 0

    def upload(self, rgb: npt.NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
        """Do what `Transfer.upload` says."""
        return normalise_on_cpu(resize_on_cpu(rgb, size))

    def download(self, maps: Tensor, size: tuple[int, int]) -> Download:
        """Do what `Transfer.download` says."""
        array = maps[0, 0].numpy()
        if array.shape != size:
            array = np.asarray(cv2.resize(array, size[::-1], interpolation=cv2.INTER_LINEAR))
        return lambda: array


class Event(Protocol):
    """A moment in a device's work, such as `torch.cuda.Event`."""

    def synchronize(self) -> None:
        """Wait for it here."""


Moment = TypeVar('Moment', bound=Event)


class Lane(Protocol[Moment]):
    """Carries in one direction, in order, beside the device's other work."""

    def mark(self) -> Moment:
        """Return the moment when the device has done all other work that it was given so far."""

    def copy(self, source: Tensor, target: Tensor, after: Moment) -> Moment:
        """Copy after that moment; return the moment when it is done."""

    def hold(self, until: Moment) -> None:
        """Let all other work that the device is given from here on wait for that moment."""


class GpuTransfer:
    """
    Carries bytes through page-locked memory, and resizes on the GPU.

    What the network reads lies in two places in turn: while it is at work on the one, the next
    image goes to the other.

    :param lanes: the ways there and back; others let a CPU try what a GPU does.
    """

    ahead = 1

    def __init__(
        self, device: torch.device, lanes: tuple[Lane[Any], Lane[Any]] | None = None
    ) -> None:
        self._device = device
        self._there: Lane[Any]
        self._back: Lane[Any]
        self._there, self._back = lanes or (CudaLane(device), CudaLane(device))
        self._pinned = device.type == 'cuda'
        mean, std = (torch.tensor(each, device=device).view(1, 3, 1, 1) for each in (MEAN, STD))
        self._scale, self._offset = 1.0 / (255.0 * std), -mean / std
        self._shape: tuple[int, ...] = ()
        self._places: Iterator[_Place] = iter(())

    def upload(self, rgb: npt.NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
        """Do what `Transfer.upload` says; the network's work so far goes on meanwhile."""
        with self._carried(rgb) as there:
            pixels = resize_on_device(there, size)
            return torch.addcmul(self._offset, pixels, self._scale).unsqueeze(0)

    def download(self, maps: Tensor, size: tuple[int, int]) -> Download:
        """Do what `Transfer.download` says; further work of the network goes on meanwhile."""
        if tuple(maps.shape[-2:]) != size:
            maps = F.interpolate(maps, size, mode='bilinear', align_corners=False)
        # Memory of its own, for results are values; torch keeps what is let go for the next.
        here = torch.empty(size, dtype=maps.dtype, pin_memory=self._pinned)
        copied = self._back.copy(maps[0, 0], here, self._back.mark())

        def arrived(_: Tensor = maps) -> npt.NDArray[np.float32]:  # held until it is copied
            copied.synchronize()
            return here.numpy()

        return arrived

    @contextmanager
    def _carried(self, rgb: npt.NDArray[np.uint8]) -> Iterator[Tensor]:
        """Lend the image (H, W, 3) on the device."""
        if self._shape != rgb.shape:
            self._shape, self._places = rgb.shape, cycle([self._place(rgb) for _ in range(2)])
        place = next(self._places)
        place.copied.synchronize()
        np.copyto(place.here.numpy(), rgb)
        place.copied = self._there.copy(place.here, place.there, place.read)
        self._there.hold(place.copied)
        try:
            yield place.there
        finally:
            place.read = self._there.mark()

    def _place(self, rgb: npt.NDArray[np.uint8]) -> _Place:
        here = torch.empty(rgb.shape, dtype=torch.uint8, pin_memory=self._pinned)
        there = torch.empty(rgb.shape, dtype=torch.uint8, device=self._device)
        now = self._there.mark()  # what lay in this memory before may still be in use
        return _Place(here, there, now, now)


@dataclass
class _Place:
    """Where an image lies on its way: here, and there on the device."""

    here: Tensor
    there: Tensor
    copied: Event
    """When `here` may be written again."""
    read: Event
    """When `there` may be."""


class CudaLane:
    """Copies on a CUDA stream of its own."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)

    def mark(self) -> torch.cuda.Event:
        """Do what `Lane.mark` says."""
        return torch.cuda.current_stream(self._device).record_event()

    def copy(self, source: Tensor, target: Tensor, after: torch.cuda.Event) -> torch.cuda.Event:
        """Do what `Lane.copy` says."""
        with torch.cuda.stream(self._stream):
            self._stream.wait_event(after)
            target.copy_(source, non_blocking=True)
            return self._stream.record_event()

    def hold(self, until: torch.cuda.Event) -> None:
        """Do what `Lane.hold` says."""
        torch.cuda.current_stream(self._device).wait_event(until)
