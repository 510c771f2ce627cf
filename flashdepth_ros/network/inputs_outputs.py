"""What all networks take and give: the shape of the frames, the meaning of the output."""

import torch
from torch import Tensor
import torch.nn.functional as F

from flashdepth_ros.errors import InputError
from flashdepth_ros.network.config import PATCH, DepthOutput, InverseDepthOutput

_MIN_DEPTH_M = 1e-3


def check_frames(frames: Tensor, weight: Tensor) -> None:
    """
    Check frames (B, T, 3, H, W) for a network.

    :param weight: one of the network; float32 like the frames, if autocast does not convert them.
    :raises InputError: another shape or type, an empty dimension, or H or W is no multiple of 14.
    """
    if not isinstance(frames, Tensor):
        raise InputError(
            f'frames of type {type(frames).__name__} given, tensor (B, T, 3, H, W) expected'
        )
    if frames.ndim != 5 or frames.shape[2] != 3:
        raise InputError(f'frames of shape {tuple(frames.shape)} given, (B, T, 3, H, W) expected')
    if not frames.numel():
        raise InputError(f'frames of shape {tuple(frames.shape)} given: there are no pixels')
    if frames.shape[-2] % PATCH or frames.shape[-1] % PATCH:
        raise InputError(
            f'frames of shape {tuple(frames.shape)} given, height and width must be '
            f'multiples of {PATCH}: resize them first'
        )
    if torch.is_autocast_enabled(frames.device.type) and frames.is_floating_point():
        return
    if weight.dtype != torch.float32:
        raise InputError(
            f'weights of {weight.dtype} need torch.autocast of that type; without it, '
            'torch.float32 is expected'
        )
    if frames.dtype != torch.float32:
        raise InputError(
            f'frames of {frames.dtype} given, torch.float32 expected: normalise the pixel values '
            'and convert them'
        )


def to_inverse_depth(head_output: Tensor, output: InverseDepthOutput | DepthOutput) -> Tensor:
    """Apply the activation to the output of a head, and return inverse depth, not negative."""
    if isinstance(output, InverseDepthOutput):
        return F.relu(head_output) / output.per_inverse_metre
    depth = output.maximum * head_output.sigmoid() if output.maximum else F.relu(head_output)
    return depth.clamp(min=_MIN_DEPTH_M).reciprocal()
