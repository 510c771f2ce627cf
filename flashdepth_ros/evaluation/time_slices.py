"""The middle image column over time, which shows flicker: of images, ground truth, predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from flashdepth_ros.camera.geometry import Float32
from flashdepth_ros.evaluation.paired_bag import PairedBag
from flashdepth_ros.evaluation.pictures import depth_range, depth_slice, image_slice
from flashdepth_ros.presentation import DepthRange

Pixel = TypeVar('Pixel', np.float32, np.uint8)

SLICE_FRAMES = 480
"""Maximum number of frames in a slice."""


def ground_truth_slices(paired: PairedBag) -> dict[str, bytes]:
    """Return the slice of the images and, if the ground truth is dense, that of true depth."""
    numbers = slice_numbers(paired)
    columns = [_middle_column(image_of(paired, number)) for number in numbers]
    slices = {'image': image_slice(columns)}
    if paired.ground_truth.dense:
        depths = [_middle_column(paired.truth_maps[number]) for number in numbers]
        slices['ground truth'] = depth_slice(depths, slice_colours(paired))
    return slices


def prediction_slice(paired: PairedBag, depth_of: Callable[[int], Float32 | None]) -> bytes:
    """
    Return the slice of a prediction.

    :param depth_of: returns the depth (H, W) of the pair with this number, or None.
    """
    columns = []
    for number in slice_numbers(paired):
        depth = depth_of(number)
        if depth is None:
            depth = np.full(paired.ground_truth.shape, np.nan, np.float32)
        columns.append(_middle_column(depth))
    return depth_slice(columns, slice_colours(paired))


def slice_numbers(paired: PairedBag) -> list[int]:
    """Return the numbers of the pairs in a slice: the first ones with ground truth."""
    with_truth = [number for number in range(len(paired.pairs)) if number in paired.truth_maps]
    return with_truth[:SLICE_FRAMES]


def slice_duration_s(paired: PairedBag) -> float:
    """Return the time between the first and the last frame of a slice."""
    first, last = (paired.pairs[slice_numbers(paired)[end]].frame for end in (0, -1))
    return (last.recorded_ns - first.recorded_ns) * 1e-9


def slice_colours(paired: PairedBag) -> DepthRange:
    """Return the colour range of depth in the slices of a bag, the same for all candidates."""
    numbers = slice_numbers(paired)
    sample = numbers[:: max(1, len(numbers) // 16)]
    return depth_range(np.stack([paired.truth_maps[number] for number in sample]))


def image_of(paired: PairedBag, number: int) -> npt.NDArray[np.uint8]:
    """Return the image of a pair at the size of the ground truth; black if it is invalid."""
    if number in paired.images:
        return paired.images[number]
    return np.zeros(paired.images.shape, np.uint8)


def _middle_column(image: npt.NDArray[Pixel]) -> npt.NDArray[Pixel]:
    # A copy: a view would keep the whole image in memory.
    return image[:, image.shape[1] // 2].copy()
