"""Recorded depth against the true depth beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flashdepth_ros import metrics
from flashdepth_ros.bags.join import Track, joined
from flashdepth_ros.camera.geometry import invert
from flashdepth_ros.camera.sampling import sampled, stride_within, thinned
from flashdepth_ros.messages import read_depth

Float32 = npt.NDArray[np.float32]

TOLERANCE_NS = 25_000_000
_FRAMES_MAX = 300
_PIXELS_MAX = 320 * 240
#: 1/m; what alignment brings below it, beyond infinity too, counts as that far.
_FARTHEST = 1e-3


@dataclass(frozen=True)
class Accuracy:
    """AbsRel and delta1 as they are, and after one scale and shift (1/m) of inverse depth."""

    frames: int
    abs_rel: float
    delta1: float
    aligned_abs_rel: float
    aligned_delta1: float
    scale: float
    shift: float


def measure(truth: Track, depth: Track) -> Accuracy | None:
    """
    Compare at most 300 frames whose stamps agree within 25 ms; None if there are none.

    The prediction is sampled at the pixels of the truth, or of every n-th of its rows and columns
    where it is larger than 320 x 240. The alignment is one for all frames, by least squares.

    :raises InputError: the two do not show the same cut of the scene, or no pixel can be compared.
    """
    step = max(1, len(depth.stamps_ns) // _FRAMES_MAX)
    frames = []
    for index, (known, estimated) in enumerate(joined(truth, depth, TOLERANCE_NS)):
        if index % step == 0:
            true = read_depth(truth.bag.message(known))
            inverse = invert(read_depth(depth.bag.message(estimated)))
            stride = stride_within(true.shape, _PIXELS_MAX)
            pair = (true, invert(sampled(inverse, true.shape)))
            frames.append([thinned(each, stride) for each in pair])
    if not frames:
        return None
    true_depth, predicted = (np.stack(depths) for depths in zip(*frames, strict=True))
    return _accuracy(true_depth, predicted)


def _accuracy(true_depth: Float32, predicted: Float32) -> Accuracy:
    mask = metrics.valid_pixels(predicted, true_depth)
    with np.errstate(divide='ignore'):
        inverse, true_inverse = 1 / predicted, 1 / true_depth
    scale, shift = metrics.align_scale_shift(inverse, true_inverse, mask)
    aligned = 1 / np.maximum(scale * inverse + shift, _FARTHEST)
    return Accuracy(
        frames=len(true_depth),
        abs_rel=metrics.abs_rel(predicted, true_depth),
        delta1=metrics.delta1(predicted, true_depth),
        aligned_abs_rel=metrics.abs_rel(aligned, true_depth, mask),
        aligned_delta1=metrics.delta1(aligned, true_depth, mask),
        scale=scale,
        shift=shift,
    )
