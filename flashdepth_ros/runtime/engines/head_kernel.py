"""
The end of a head in one Triton kernel, which writes nothing but the output.

A program computes a strip of the output row by row. It resizes a row of features three times, for
the left, middle and right column of the 3x3 window, and adds products to the sums of the output
rows above, at and below; the sums above are then complete. So an output pixel costs three
interpolations instead of nine, and the resized features are never in memory.

Triton comes with CUDA builds of PyTorch: import this module only where it is needed.
"""

from typing import NamedTuple

import torch
from torch import Tensor
import triton
import triton.language as tl

COLUMNS = 64
"""Columns of a strip: rows of a matrix product, 64 at least for the instructions of Hopper."""
ROWS = 16
"""Rows of a strip. Two further ones are computed: fewer rows are more work, but more programs."""
WARPS = 4
CHUNK = 32
"""Input channels of one product; the weights of the first ones stay in shared memory."""


class HeadWeights(NamedTuple):
    """The last two convolutions, with C input channels and K between them."""

    taps: Tensor
    """(9, C, K) in fp16, the 3x3 weights row by row."""
    vectors: Tensor
    """(2 K + 1,) in float32: the bias, the 1x1 weights and their bias."""


def finish(weights: HeadWeights, features: Tensor, size: tuple[int, int]) -> Tensor:
    """
    Resize features, convolve them, apply a ReLU and the 1x1 convolution.

    Products have inputs in fp16 and sums in float32, everything else is in float32.

    :param features: (B, C, h, w) in fp16, fastest with channels last.
    :param size: (H, W) of the output.
    :return: (B, H, W) in float32.
    """
    features = features.contiguous(memory_format=torch.channels_last)
    batch, channels, *source = features.shape
    output = features.new_empty((batch, *size), dtype=torch.float32)
    grid = triton.cdiv(size[1], COLUMNS), triton.cdiv(size[0], ROWS), batch
    with torch.cuda.device_of(features):  # Triton launches on the current device
        _finish_strip[grid](
            features,
            *weights,
            output,
            *source,
            *size,
            C=channels,
            K=weights.taps.shape[2],
            COLUMNS=COLUMNS,
            ROWS=ROWS,
            CHUNK=min(CHUNK, channels),
            num_warps=WARPS,
            num_stages=1,  # loads ahead would need shared memory, and fewer programs fit
        )
    return output


@triton.jit(do_not_specialize=['h', 'w', 'height', 'width'])
def _finish_strip(  # noqa: PLR0913 - a launch passes pointers and numbers one by one
    features: tl.tensor,
    taps: tl.tensor,
    vectors: tl.tensor,
    output: tl.tensor,
    h: tl.tensor,
    w: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    C: tl.constexpr,
    K: tl.constexpr,
    COLUMNS: tl.constexpr,
    ROWS: tl.constexpr,
    CHUNK: tl.constexpr,
) -> None:
    """Compute `ROWS` rows of `COLUMNS` pixels of the output."""
    image = tl.program_id(2).to(tl.int64)
    features += image * h * w * C
    output += image * height * width
    x = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    first = tl.program_id(1) * ROWS
    kept = _taps_of(taps, 0, C, K, CHUNK)
    bias, last, offset = _layers_of(vectors, K)
    above = tl.zeros((COLUMNS, K), tl.float32)
    here = tl.zeros((COLUMNS, K), tl.float32)
    for row in range(ROWS + 2):
        y = first - 1 + row
        below = tl.zeros((COLUMNS, K), tl.float32)
        around_y = _neighbours(y, h, height)
        for chunk in tl.static_range(0, C, CHUNK):
            used = kept if chunk == 0 else _taps_of(taps, chunk, C, K, CHUNK)
            for column in tl.static_range(3):
                around_x = _neighbours(x + column - 1, w, width)
                values = _resized(features + chunk, around_y, around_x, w, C, CHUNK)
                above = tl.dot(values, used[6 + column], above)
                here = tl.dot(values, used[3 + column], here)
                below = tl.dot(values, used[column], below)
        hidden = above + bias
        hidden = tl.where(hidden < 0, 0.0, hidden)  # unlike a maximum, this keeps NaN
        depth = tl.sum(hidden * last, axis=1) + offset
        tl.store(output + (y - 1) * width + x, depth, mask=(x < width) & (row > 1) & (y <= height))
        above, here = here, below


@triton.jit
def _taps_of(
    taps: tl.tensor,
    chunk: tl.constexpr,
    C: tl.constexpr,
    K: tl.constexpr,
    CHUNK: tl.constexpr,
) -> tl.tuple:
    """Return the nine taps (CHUNK, K) for the input channels from `chunk` on."""
    channels = chunk + tl.arange(0, CHUNK)
    first = taps + channels[:, None] * K + tl.arange(0, K)[None, :]
    return (
        tl.load(first),
        tl.load(first + C * K),
        tl.load(first + 2 * C * K),
        tl.load(first + 3 * C * K),
        tl.load(first + 4 * C * K),
        tl.load(first + 5 * C * K),
        tl.load(first + 6 * C * K),
        tl.load(first + 7 * C * K),
        tl.load(first + 8 * C * K),
    )


@triton.jit
def _layers_of(vectors: tl.tensor, K: tl.constexpr) -> tl.tuple:
    """Return the bias (1, K), the 1x1 weights (1, K) and their bias."""
    between = tl.arange(0, K)[None, :]
    return tl.load(vectors + between), tl.load(vectors + K + between), tl.load(vectors + 2 * K)


@triton.jit
def _neighbours(position: tl.tensor, source: tl.tensor, size: tl.tensor) -> tl.tuple:
    """
    Return the two source positions around positions of the output, and their weights.

    Corners are aligned. Outside the output both weights are 0, as the convolution pads it.
    """
    scale = tl.div_rn((source - 1).to(tl.float32), tl.maximum(size - 1, 1).to(tl.float32))
    inside = (position >= 0) & (position < size)
    exact = tl.where(inside, position, 0).to(tl.float32) * scale
    low = tl.minimum(exact.to(tl.int32), source - 1)
    share = exact - low.to(tl.float32)
    high = tl.minimum(low + 1, source - 1)
    return low, high, tl.where(inside, 1.0 - share, 0.0), tl.where(inside, share, 0.0)


@triton.jit
def _resized(
    features: tl.tensor,
    around_y: tl.tuple,
    around_x: tl.tuple,
    w: tl.tensor,
    C: tl.constexpr,
    CHUNK: tl.constexpr,
) -> tl.tensor:
    """Return resized features (COLUMNS, CHUNK) in fp16, of one row of the output."""
    top, bottom, of_top, of_bottom = around_y
    left, right, of_left, of_right = around_x
    channels = tl.arange(0, CHUNK)[None, :]
    left, right = left[:, None] * C + channels, right[:, None] * C + channels
    upper, lower = features + top * w * C, features + bottom * w * C
    values = tl.load(upper + left).to(tl.float32) * (of_top * of_left)[:, None]
    values += tl.load(upper + right).to(tl.float32) * (of_top * of_right)[:, None]
    values += tl.load(lower + left).to(tl.float32) * (of_bottom * of_left)[:, None]
    values += tl.load(lower + right).to(tl.float32) * (of_bottom * of_right)[:, None]
    return values.to(tl.float16)
