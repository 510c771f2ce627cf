"""Convert images to the network input and inverse depth to the size of the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.runtime.preprocess import normalise_on_cpu, resize_on_cpu

if TYPE_CHECKING:
    from flashdepth_ros.runtime.device_depth import DeviceDepth

Array = Any
"""What an engine computes with: numpy arrays, or tensors of PyTorch on one device."""


class Download(Protocol):
    """Inverse depth on its way from the device of an engine."""

    @property
    def on_device(self) -> DeviceDepth | None:
        """What stays on the device for the outputs; None: nothing."""

    def is_finite(self) -> bool:
        """Wait for the network; return whether all that it computed is finite, by its sum."""

    def array(self) -> npt.NDArray[np.float32]:
        """Wait until inverse depth (H, W) is downloaded, and return it."""


class Transfer(Protocol):
    """Copies images to the device of an engine and inverse depth back, for one stream."""

    ahead: int
    """Number of further frames to submit before the result of a frame is requested."""

    def upload(self, rgb: npt.NDArray[np.uint8], size: tuple[int, int]) -> Array:
        """
        Return the network input (1, 1, 3, h, w) float32 of an image (H, W, 3) uint8.

        The image is resized bicubically, as the released networks expect, and normalised.
        """

    def download(
        self, inverse_depth: Array, size: tuple[int, int], unproven: Sequence[Array] = ()
    ) -> Download:
        """
        Start to download inverse depth (1, 1, h, w), resized to `size`.

        :param unproven: what else has to be finite, such as parts of the state.
        """

    def with_nan(self, inverse_depth: Array) -> Array:
        """Return inverse depth with NaN for every value that is not finite."""


class CpuTransfer:
    """Converts images and inverse depth as numpy arrays, synchronously and without transfer."""

    ahead = 0

    def upload(self, rgb: npt.NDArray[np.uint8], size: tuple[int, int]) -> Array:
        """Implement `Transfer.upload`."""
        return normalise_on_cpu(resize_on_cpu(rgb, size))

    def download(
        self, inverse_depth: Array, size: tuple[int, int], unproven: Sequence[Array] = ()
    ) -> Download:
        """Implement `Transfer.download`."""
        finite = all(bool(np.isfinite(part.sum())) for part in (inverse_depth, *unproven))
        array = inverse_depth[0, 0]
        if array.shape != size:
            array = np.asarray(cv2.resize(array, size[::-1], interpolation=cv2.INTER_LINEAR))
        return _Downloaded(finite, array)

    def with_nan(self, inverse_depth: Array) -> Array:
        """Implement `Transfer.with_nan`."""
        return np.where(np.isfinite(inverse_depth), inverse_depth, np.float32(np.nan))


class _Downloaded:
    """A download that needs no waiting."""

    on_device = None

    def __init__(self, finite: bool, array: npt.NDArray[np.float32]) -> None:
        self._finite, self._array = finite, array

    def is_finite(self) -> bool:
        """Implement `Download.is_finite`."""
        return self._finite

    def array(self) -> npt.NDArray[np.float32]:
        """Implement `Download.array`."""
        return self._array
