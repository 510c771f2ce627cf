"""
The RVL code of 16-bit depth images (Wilson, "Fast lossless depth image compression", ISS 2017).

The image is a sequence of runs: a number of zeros, a number of other pixels, and of each of these
the difference to the one before it. Every number is written in groups of three bits, low groups
first, in nibbles whose high bit says that a further group follows.
"""

import numpy as np
import numpy.typing as npt

from flashdepth_ros.errors import InputError

UInt16 = npt.NDArray[np.uint16]

_NIBBLE_SHIFTS = np.arange(28, -4, -4, dtype=np.uint32)
_MORE, _BITS = 8, 7
_GROUP_BITS = 3
# A number of 32 bits has at most eleven groups.
_GROUPS_MAX = 11


def decode_rvl(data: bytes, count: int) -> UInt16:
    """
    Return the pixels (count,) of an RVL stream.

    :raises InputError: the stream is damaged or cut off.
    """
    numbers = _numbers(data)
    pixels = np.zeros(count, np.uint16)
    position = done = 0
    last = 0
    while done < count:
        if position + 2 > len(numbers):
            raise InputError(f'RVL data end after {done} of {count} pixels')
        zeros, others = (int(number) for number in numbers[position : position + 2])
        position += 2
        start = done + zeros
        done = start + others
        differences = numbers[position : position + others]
        if done > count or len(differences) < others:
            raise InputError(f'RVL data do not fit an image of {count} pixels')
        position += others
        # Zigzag: 0, 1, 2, 3, ... stand for 0, -1, 1, -2, ...
        signed = (differences >> 1) ^ -(differences & 1)
        values = last + np.cumsum(signed)
        pixels[start:done] = values.astype(np.uint16)
        last = int(values[-1]) if others else last
    return pixels


def _numbers(data: bytes) -> npt.NDArray[np.int64]:
    """Return all numbers of a stream of 32-bit words, whose first nibble is the highest."""
    words = np.frombuffer(data, '<u4', len(data) // 4)
    nibbles = ((words[:, None] >> _NIBBLE_SHIFTS) & 15).ravel().astype(np.int64)
    ends = np.flatnonzero(nibbles < _MORE)
    if not ends.size:
        return np.empty(0, np.int64)
    nibbles = nibbles[: ends[-1] + 1]
    starts = np.concatenate(([0], ends[:-1] + 1))
    groups = np.arange(len(nibbles)) - np.repeat(starts, np.diff(starts, append=len(nibbles)))
    if int(groups.max()) >= _GROUPS_MAX:
        raise InputError('RVL data hold a number of more than 32 bits')
    return np.add.reduceat((nibbles & _BITS) << (_GROUP_BITS * groups), starts)
