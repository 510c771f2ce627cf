"""Compare recorded depth with the true depth of the same recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flashdepth_ros import metrics
from flashdepth_ros.bags.join import matched_records
from flashdepth_ros.bags.track import Track
from flashdepth_ros.camera.geometry import invert
from flashdepth_ros.camera.sampling import resample, stride_for, subsample
from flashdepth_ros.messages import read_depth

Float32 = npt.NDArray[np.float32]

TOLERANCE_NS = 25_000_000
_FRAMES_MAX = 300
_PIXELS_MAX = 320 * 240
_INVERSE_DEPTH_MIN = 1e-3
"""Lower limit of aligned inverse depth, 1/m; alignment can also make it negative."""


@dataclass(frozen=True)
class Accuracy:
    """AbsRel and delta1 without alignment, and with one scale and shift (1/m) of inverse depth."""

    frames: int
    abs_rel: float
    delta1: float
    aligned_abs_rel: float
    aligned_delta1: float
    scale: float
    shift: float


def measure(true_track: Track, depth: Track) -> Accuracy | None:
    """
    Compare at most 300 frames whose stamps agree within 25 ms; return None if there are none.

    The prediction is resampled to the pixels of the true depth; true depth larger than 320 x 240
    is subsampled. One alignment for all frames is computed by least squares.

    :raises InputError: the images have different fields of view, no pixel can be compared, or it
        is unknown which images belong together.
    """
    step = max(1, len(depth.stamps_ns) // _FRAMES_MAX)
    frames = []
    matches = matched_records(true_track, depth, TOLERANCE_NS)
    for index, (_, true, predicted) in enumerate(matches):
        if index % step == 0:
            true_image = read_depth(true_track.bag.message(true))
            inverse = invert(read_depth(depth.bag.message(predicted)))
            stride = stride_for(true_image.shape, _PIXELS_MAX)
            pair = (true_image, invert(resample(inverse, true_image.shape)))
            frames.append([subsample(each, stride) for each in pair])
    if not frames:
        return None
    return _accuracy(*(np.stack(depths) for depths in zip(*frames, strict=True)))


def _accuracy(true_depth: Float32, predicted: Float32) -> Accuracy:
    mask = metrics.valid_pixels(predicted, true_depth)
    with np.errstate(divide='ignore'):
        inverse, true_inverse = 1 / predicted, 1 / true_depth
    scale, shift = metrics.align_scale_shift(inverse, true_inverse, mask)
    aligned = 1 / np.maximum(scale * inverse + shift, _INVERSE_DEPTH_MIN)
    return Accuracy(
        frames=len(true_depth),
        abs_rel=metrics.abs_rel(predicted, true_depth),
        delta1=metrics.delta1(predicted, true_depth),
        aligned_abs_rel=metrics.abs_rel(aligned, true_depth, mask),
        aligned_delta1=metrics.delta1(aligned, true_depth, mask),
        scale=scale,
        shift=shift,
    )
