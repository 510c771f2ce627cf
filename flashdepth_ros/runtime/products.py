"""What is told of one depth frame: depth, its camera, a cloud, a preview; each made when asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros import messages
from flashdepth_ros.camera.calibration import Camera
from flashdepth_ros.camera.camera_info import CameraInfoFields, camera_info_fields
from flashdepth_ros.camera.geometry import (
    Intrinsics,
    depth_from_inverse,
    edge_mask,
    rays,
)
from flashdepth_ros.runtime.settings import Settings

UInt8 = npt.NDArray[np.uint8]
UInt16 = npt.NDArray[np.uint16]
Float32 = npt.NDArray[np.float32]


class Picture(Protocol):
    """The image that a depth frame came from, and its camera where that is known and fits."""

    @property
    def stamp_ns(self) -> int: ...
    @property
    def frame_id(self) -> str: ...
    @property
    def rgb(self) -> UInt8: ...
    @property
    def camera(self) -> Camera | None: ...


class Rays:
    """The rays of the last camera asked for."""

    def __init__(self) -> None:
        self._known: tuple[tuple[Intrinsics, int], Float32] | None = None

    def of(self, intrinsics: Intrinsics, stride: int) -> Float32:
        """Return `geometry.rays`, computed once for each camera and stride."""
        key = (intrinsics, stride)
        if self._known is None or self._known[0] != key:
            self._known = key, rays(intrinsics, stride)
        return self._known[1]


@dataclass(frozen=True)
class Products:
    """
    One frame's products, whose inverse depth (H, W) may have another size than the picture.

    :param rays: kept from frame to frame.
    """

    inverse_depth: Float32
    picture: Picture
    settings: Settings
    rays: Rays

    @cached_property
    def depth(self) -> Float32:
        """(H, W) metres, scaled, with the infinities of REP 117 beyond the limits."""
        settings = self.settings
        return depth_from_inverse(
            self.inverse_depth, settings.depth_scale, settings.depth_min, settings.depth_max
        )

    @property
    def depth_pixels(self) -> Float32 | UInt16:
        """(H, W) in the encoding that is set."""
        return messages.depth_data(self.depth, self.settings.depth_encoding)

    @cached_property
    def camera(self) -> Camera | None:
        """The camera as it is for an image of the depth's size."""
        camera, (height, width) = self.picture.camera, self.inverse_depth.shape
        if camera is None:
            return None
        if (camera.intrinsics.height, camera.intrinsics.width) == (height, width):
            return camera
        return replace(camera, intrinsics=camera.intrinsics.resized(width, height))

    @property
    def camera_info(self) -> CameraInfoFields | None:
        """The fields of the CameraInfo that belongs to the depth image; None without a camera."""
        if self.camera is None:
            return None
        return camera_info_fields(self.camera.intrinsics, self.camera.info)

    @property
    def cloud(self) -> Float32 | None:
        """As `messages.cloud_data`: (h, w, 4), without colour (h, w, 3); None without a camera."""
        if self.camera is None:
            return None
        stride, threshold = self.settings.points_stride, self.settings.points_edge_threshold
        sampled = self.depth[::stride, ::stride]
        if threshold > 0:
            sampled = sampled.copy()
            sampled[edge_mask(self.depth, threshold, stride)] = np.nan
        rgb = None
        if self.settings.points_color:
            rgb = _resized(self.picture.rgb, self.depth.shape)[::stride, ::stride]
        return messages.cloud_data(sampled, self.rays.of(self.camera.intrinsics, stride), rgb)

    @property
    def preview(self) -> UInt8:
        """(H, W, 3) RGB; a colour means the same distance in every frame."""
        return messages.colorize(self.depth, self.settings.color_min, self.settings.color_max)


def _resized(rgb: UInt8, shape: tuple[int, ...]) -> UInt8:
    if rgb.shape[:2] == shape:
        return rgb
    return np.asarray(cv2.resize(rgb, shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
