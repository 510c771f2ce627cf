"""From uint8 RGB to the network's input, on its device; from its output back to arrays."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
import torch.nn.functional as F

from flashdepth_ros.errors import InputError
from flashdepth_ros.network.config import PATCH

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)

_ALIASING = 1.5
"""Shrinking further than this samples between pixels; then each is averaged over its footprint."""


@dataclass(frozen=True)
class InferenceSize:
    """How large the network sees an image."""

    short_side: int = 0
    """px before rounding to patches; 0: the preset's own, but never more than the image has."""
    long_side_max: int = 2044
    """px, as in the paper."""

    def of(self, height: int, width: int, preset_short_side: int) -> tuple[int, int]:
        """
        Return the network's height and width for an image, px.

        Each side is the nearest multiple of 14 that is not smaller than the scaled image's.
        """
        short = self.short_side or min(preset_short_side, height, width)
        scale = min(short / min(height, width), self.long_side_max / max(height, width))
        return _patched(height * scale), _patched(width * scale)


def _patched(side: float) -> int:
    # The small allowance keeps a product such as 448.00000000000006 in 32 patches.
    return max(1, int(np.ceil(side / PATCH - 1e-6))) * PATCH


def check_rgb(rgb: npt.NDArray[np.uint8]) -> None:
    """
    Refuse what is no image.

    :raises InputError: another shape or type than (H, W, 3) uint8, or no pixels.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or not rgb.size:
        raise InputError(
            f'image of shape {rgb.shape} and type {rgb.dtype} given, (H, W, 3) uint8 RGB expected'
        )


class Preprocessor:
    """Holds the staging buffer and the constants of one device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        scale = torch.tensor(_STD, device=device).mul(255.0).reciprocal()
        self._scale = scale.view(1, 3, 1, 1)
        self._offset = -torch.tensor(_MEAN, device=device) / torch.tensor(_STD, device=device)
        self._offset = self._offset.view(1, 3, 1, 1)
        self._staging = torch.empty(0, dtype=torch.uint8)

    def __call__(self, rgb: npt.NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
        """
        Return the normalised frame (1, 1, 3, h, w) float32 of an image (H, W, 3) uint8.

        The bytes cross to the device once; they are resized there, bicubically as the released
        networks expect.
        """
        pixels = self._upload(rgb).permute(2, 0, 1).unsqueeze(0).float()
        if tuple(pixels.shape[-2:]) != size:
            shrink = max(pixels.shape[-2] / size[0], pixels.shape[-1] / size[1])
            pixels = F.interpolate(pixels, size, mode='bicubic', antialias=shrink > _ALIASING)
            pixels = pixels.clamp_(0.0, 255.0)
        return torch.addcmul(self._offset, pixels, self._scale).unsqueeze(0)

    def _upload(self, rgb: npt.NDArray[np.uint8]) -> Tensor:
        """Copy through a buffer that is page-locked for a GPU, so that the copy can overlap."""
        if tuple(self._staging.shape) != rgb.shape:
            pinned = self.device.type == 'cuda'
            self._staging = torch.empty(rgb.shape, dtype=torch.uint8, pin_memory=pinned)
        np.copyto(self._staging.numpy(), rgb)
        return self._staging.to(self.device, non_blocking=True)


def download(maps: Tensor, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return inverse depth (1, 1, h, w) resized to `size` on its device, then copied once."""
    if tuple(maps.shape[-2:]) != size:
        maps = F.interpolate(maps, size, mode='bilinear', align_corners=False)
    maps = maps[0, 0]
    if maps.device.type == 'cpu':
        return maps.numpy()
    host = torch.empty(maps.shape, dtype=maps.dtype, pin_memory=True)
    host.copy_(maps, non_blocking=True)
    torch.cuda.current_stream(maps.device).synchronize()
    return host.numpy()
