"""The outputs derived from one depth frame; each is computed when it is requested."""

from __future__ import annotations

from dataclasses import dataclass
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
from flashdepth_ros.runtime.depth_frame import DepthFrame
from flashdepth_ros.runtime.scale.fit import Scale
from flashdepth_ros.runtime.settings import Settings

UInt8 = npt.NDArray[np.uint8]
UInt16 = npt.NDArray[np.uint16]
Float32 = npt.NDArray[np.float32]


class SourceImage(Protocol):
    """The image of a depth frame, and its camera if a matching one is known."""

    @property
    def stamp_ns(self) -> int: ...
    @property
    def frame_id(self) -> str: ...
    @property
    def rgb(self) -> UInt8: ...
    @property
    def camera(self) -> Camera | None: ...


class RayCache:
    """Caches the rays of the last requested camera and stride."""

    def __init__(self) -> None:
        self._cached: tuple[tuple[Intrinsics, int], Float32] | None = None

    def get(self, intrinsics: Intrinsics, stride: int) -> Float32:
        """Return `geometry.rays` of a camera, from the cache if possible."""
        key = (intrinsics, stride)
        if self._cached is None or self._cached[0] != key:
            self._cached = key, rays(intrinsics, stride)
        return self._cached[1]


@dataclass(frozen=True)
class Products:
    """
    The outputs of one frame; its inverse depth (H, W) may differ in size from the image.

    :param rays: shared by all frames of a stream.
    :param scale: turns inverse depth into metres; None: `depth.scale` does.
    :param confidence: (H, W), from `ConfidenceRater`; needed for `points.min_confidence`.
    """

    inverse_depth: Float32
    image: SourceImage
    settings: Settings
    rays: RayCache
    scale: Scale | None = None
    confidence: Float32 | None = None

    @cached_property
    def depth(self) -> Float32:
        """(H, W) metres, scaled; -Inf and +Inf (REP 117) outside the depth limits."""
        settings = self.settings
        scale = self.scale or Scale(settings.depth_scale)
        inverse_depth = scale.offset(self.inverse_depth)
        return depth_from_inverse(
            inverse_depth, scale.factor, settings.depth_min, settings.depth_max
        )

    @cached_property
    def depth_pixels(self) -> Float32 | UInt16:
        """(H, W) in the encoding of the settings."""
        return messages.depth_data(self.depth, self.settings.depth_encoding)

    @cached_property
    def camera(self) -> Camera | None:
        """The camera of an image of the size of the depth; None if unknown."""
        camera, (height, width) = self.image.camera, self.inverse_depth.shape
        if camera is None or camera.size == (width, height):
            return camera
        return camera.resized(width, height)

    @property
    def camera_info(self) -> CameraInfoFields | None:
        """The fields of the CameraInfo of the depth image; None without a camera."""
        if self.camera is None:
            return None
        return camera_info_fields(self.camera.pinhole, self.camera.info)

    @property
    def cloud(self) -> Float32 | None:
        """Points as from `messages.cloud_data`, (h, w, 4) or (h, w, 3); None without a lens."""
        intrinsics = None if self.camera is None else self.camera.intrinsics
        if intrinsics is None:
            return None
        stride = self.settings.points_stride
        return self._cloud(intrinsics, stride, self._rgb_of_points(stride))

    def _cloud(self, intrinsics: Intrinsics, stride: int, rgb: UInt8 | None) -> Float32:
        """Return the cloud of every n-th pixel and row, with colours (h, w, 3) or None."""
        rays = self.rays.get(intrinsics, stride)
        return messages.cloud_data(self._depth_of_points(stride), rays, rgb)

    def _rgb_of_points(self, stride: int) -> UInt8 | None:
        """Return the colour of every n-th pixel and row, None if it is not wanted."""
        if not self.settings.points_color:
            return None
        return _resized(self.image.rgb, self.inverse_depth.shape)[::stride, ::stride]

    def _depth_of_points(self, stride: int) -> Float32:
        """Return the depth of every n-th pixel and row, NaN where no point is wanted."""
        depth = self.depth[::stride, ::stride]
        threshold, minimum = (
            self.settings.points_edge_threshold,
            self.settings.points_min_confidence,
        )
        if threshold > 0:
            depth = np.where(edge_mask(self.depth, threshold, stride), np.float32(np.nan), depth)
        if minimum > 0 and self.confidence is not None:
            doubtful = self.confidence[::stride, ::stride] < minimum
            depth = np.where(doubtful, np.float32(np.nan), depth)
        return depth

    @cached_property
    def preview(self) -> UInt8:
        """(H, W, 3) RGB; a colour means the same depth in every frame."""
        return messages.colorize(self.depth, self.settings.color_min, self.settings.color_max)


def products_of(
    frame: DepthFrame,
    image: SourceImage,
    settings: Settings,
    rays: RayCache,
    scale: Scale | None = None,
    confidence: Float32 | None = None,
) -> Products:
    """Return the outputs of a frame, computed where its depth is; see `Products`."""
    arguments = frame.inverse_depth, image, settings, rays, scale, confidence
    if frame.on_device is None:
        return Products(*arguments)
    from flashdepth_ros.runtime.device_products import DeviceProducts

    return DeviceProducts(*arguments, on_device=frame.on_device)


def _resized(rgb: UInt8, shape: tuple[int, ...]) -> UInt8:
    if rgb.shape[:2] == shape:
        return rgb
    return np.asarray(cv2.resize(rgb, shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
