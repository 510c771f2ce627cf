"""The outputs of one depth frame, computed on the device of the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.runtime import tensor_products
from flashdepth_ros.runtime.device_depth import DeviceDepth
from flashdepth_ros.runtime.products import Float32, Products, UInt8, UInt16
from flashdepth_ros.runtime.scale.fit import Scale


@dataclass(frozen=True)
class DeviceProducts(Products):
    """The same values as of `Products`; each output comes from the device in one copy."""

    on_device: DeviceDepth = field(kw_only=True)

    @cached_property
    def depth(self) -> Float32:
        """See `Products.depth`."""
        with self.on_device.work():
            return self.on_device.fetch(self._metres)

    @cached_property
    def depth_pixels(self) -> Float32 | UInt16:
        """See `Products.depth_pixels`."""
        if self.settings.depth_encoding != '16UC1':
            return self.depth
        with self.on_device.work():
            return self.on_device.fetch(tensor_products.millimetres(self._metres)).view(np.uint16)

    def _cloud(self, intrinsics: Intrinsics, stride: int, rgb: UInt8 | None) -> Float32:
        """See `Products._cloud`."""
        with self.on_device.work():
            depth = self._points_on_device(stride)
            directions = tensor_products.rays_on(depth.device, intrinsics, stride)
            colours = None if rgb is None else self.on_device.upload(rgb)
            return self.on_device.fetch(tensor_products.cloud(depth, directions, colours))

    @cached_property
    def preview(self) -> UInt8:
        """See `Products.preview`."""
        near, far = self.settings.color_min, self.settings.color_max
        with self.on_device.work():
            return self.on_device.fetch(tensor_products.preview(self._metres, near, far))

    @cached_property
    def _metres(self) -> Tensor:
        settings = self.settings
        scale = self.scale or Scale(settings.depth_scale)
        limits = settings.depth_min, settings.depth_max
        return tensor_products.metres(self.on_device.inverse_depth, scale, *limits)

    def _points_on_device(self, stride: int) -> Tensor:
        """Return the depth of every n-th pixel and row, NaN where no point is wanted."""
        settings, depth = self.settings, self._metres[::stride, ::stride]
        if settings.points_edge_threshold > 0:
            edges = tensor_products.edges(self._metres, settings.points_edge_threshold, stride)
            depth = torch.where(edges, torch.nan, depth)
        if settings.points_min_confidence > 0 and self.confidence is not None:
            doubtful = self.confidence[::stride, ::stride] < settings.points_min_confidence
            depth = torch.where(self.on_device.upload(doubtful), torch.nan, depth)
        return depth
