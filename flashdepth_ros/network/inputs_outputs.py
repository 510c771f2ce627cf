"""What all networks take and give: the shape of the frames, the meaning of the output."""

from torch import Tensor
import torch.nn.functional as F

from flashdepth_ros.errors import InputError
from flashdepth_ros.network.config import PATCH, DepthOutput, InverseDepthOutput

_MIN_DEPTH_M = 1e-3


def check_frames(frames: Tensor) -> None:
    """
    Check the shape of frames (B, T, 3, H, W).

    :raises InputError: another shape, an empty dimension, or H or W is no multiple of 14.
    """
    if frames.ndim != 5 or frames.shape[2] != 3:
        raise InputError(f'frames of shape {tuple(frames.shape)} given, (B, T, 3, H, W) expected')
    batch, time, _, height, width = frames.shape
    if not batch * time * height * width or height % PATCH or width % PATCH:
        raise InputError(
            f'frames of shape {tuple(frames.shape)} given, height and width must be '
            f'multiples of {PATCH} and no dimension 0: resize them first'
        )


def to_inverse_depth(head_output: Tensor, output: InverseDepthOutput | DepthOutput) -> Tensor:
    """Apply the activation to the output of a head, and return inverse depth, not negative."""
    if isinstance(output, InverseDepthOutput):
        return F.relu(head_output) / output.per_inverse_metre
    depth = output.maximum * head_output.sigmoid() if output.maximum else F.relu(head_output)
    return depth.clamp(min=_MIN_DEPTH_M).reciprocal()
