"""
The products of a frame as functions of tensors, on any device.

Each computes the same values as its counterpart for arrays, in `camera.geometry` and `messages`.
"""

from __future__ import annotations

from functools import lru_cache
import math

import torch
from torch import Tensor

from flashdepth_ros.camera.geometry import Intrinsics, mark_edges, rays
from flashdepth_ros.messages.preview import PREVIEW_LEVELS, palette
from flashdepth_ros.runtime.scale.fit import Scale

_MILLIMETRES_MAX = 65535


def metres(inverse_depth: Tensor, scale: Scale, minimum: float, maximum: float) -> Tensor:
    """Return depth (H, W) in metres, see `depth_from_inverse`."""
    if scale.shift:
        inverse_depth = inverse_depth + scale.shift * scale.factor
    # Adding zero turns -0.0 into 0.0, whose inverse is +Inf.
    depth = _divide(scale.factor, inverse_depth.clamp(min=0.0) + 0.0)
    depth = torch.where(depth > maximum, math.inf, depth)
    return torch.where(depth < minimum, -math.inf, depth)


def millimetres(depth: Tensor) -> Tensor:
    """Return rounded millimetres (H, W), see `depth_data`; int16 with the bits of uint16."""
    rounded = (depth * 1000.0).round()
    known = (rounded > 0) & (rounded <= _MILLIMETRES_MAX)
    return torch.where(known, rounded, 0.0).to(torch.int32).to(torch.int16)


def preview(depth: Tensor, minimum: float, maximum: float) -> Tensor:
    """Return the RGB preview (H, W, 3) uint8, see `colorize`."""
    per_level = (PREVIEW_LEVELS - 1) / (1.0 / minimum - 1.0 / maximum)
    inverse = _divide(per_level, depth.clamp(minimum, maximum))
    levels = (inverse + (1.0 - per_level / maximum)).round().abs()
    levels = levels.clamp(0.0, PREVIEW_LEVELS).nan_to_num(0.0)
    return _palette(depth.device)[levels.int()]


@lru_cache(maxsize=8)
def _palette(device: torch.device) -> Tensor:
    return torch.from_numpy(palette()[:, 0]).to(device)


def cloud(depth: Tensor, directions: Tensor, rgb: Tensor | None) -> Tensor:
    """
    Return the points (h, w, 4) float32 with colours, (h, w, 3) without, see `cloud_data`.

    :param directions: (h, w, 2), from `rays_on`.
    :param rgb: (h, w, 3) uint8.
    """
    z = torch.where((depth > 0) & (depth < math.inf), depth, math.nan)
    parts = [directions[..., 0] * z, directions[..., 1] * z, z]
    if rgb is not None:
        red, green, blue = rgb.int().unbind(-1)
        parts.append((red << 16 | green << 8 | blue).view(torch.float32))
    return torch.stack(parts, dim=-1)


@lru_cache(maxsize=8)
def rays_on(device: torch.device, intrinsics: Intrinsics, stride: int) -> Tensor:
    """Return `geometry.rays` of a camera on a device."""
    return torch.from_numpy(rays(intrinsics, stride)).to(device)


def edges(depth: Tensor, threshold: float, stride: int) -> Tensor:
    """Return the mask of pixels at a depth jump, see `edge_mask`."""
    mask = torch.zeros_like(depth[::stride, ::stride], dtype=torch.bool)
    mark_edges(mask, depth, threshold, stride)
    return mask


def _divide(number: float, values: Tensor) -> Tensor:
    """Return a number divided by values; the operator would multiply by their inverse."""
    return torch.full_like(values[:1, :1], number) / values
