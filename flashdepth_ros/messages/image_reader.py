"""
Read the images of one stream to RGB, with the number of bits that its 16-bit samples use.

Cameras of 10, 12 or 14 bits store their values in the low bits of `mono16` and similar encodings,
and no field of the message states how many. Read as 16 bits, a 12-bit image would be black.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

import numpy as np

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.messages.compressed import CompressedImageMessage, decode_samples
from flashdepth_ros.messages.encodings import (
    Encoding,
    ImageMessage,
    Samples,
    UInt8,
    UInt16,
    read_samples,
)

BITS = (8, 10, 12, 14, 16)
"""The numbers of bits that are found; cameras with others are rare."""
_DEFECTIVE = 0.001
"""Share of the samples, at each end, that may come from defective pixels."""
_CHECKED_ROWS = 100
_CONTRAST_FRAMES = 10
"""Number of frames after which the contrast is checked."""
_MIN_LEVELS = 32
"""With fewer of 256 grey levels, the contrast is too low."""


class ImageReader:
    """
    Reads the raw or compressed images of one stream.

    The number of bits is the smallest of `BITS` that covers the values so far. It never falls, so
    that the brightness does not change back and forth, unless `restart` is called or the size or
    the encoding of the images changes.

    :param info: called once with a line for each number of bits that is found.
    :param warn: called once with a line if the values do not suit the number of bits.
    """

    def __init__(
        self,
        info: Callable[[str], Any] = lambda _: None,
        warn: Callable[[str], Any] = lambda _: None,
    ) -> None:
        self._info, self._warn = info, warn
        self._logged_bits: set[int] = set()
        self._warned: set[str] = set()
        self.restart()

    def restart(self) -> None:
        """Find the number of bits anew from the next image on."""
        self.bits = 0
        """The number of bits found so far; 0: there was no 16-bit image yet."""
        self._kind: tuple[Encoding, tuple[int, ...]] | None = None
        self._frames, self._low, self._high = 0, 2**16, 0

    def read(self, message: ImageMessage | CompressedImageMessage, bits: int = 0) -> UInt8:
        """
        Return the image as RGB (H, W, 3), C-contiguous.

        :param bits: number of bits in use of 16-bit samples; 0: found from the images.
        :raises InputError: the message cannot be read; nothing has changed.
        """
        samples = _read_samples(message)
        if samples.values.dtype == np.uint8:
            return samples.rgb()
        self._observe(samples)
        used = bits or self.bits
        self._check_bits(bits, used)
        if self._frames == _CONTRAST_FRAMES:
            self._check_contrast(used)
        return samples.rgb(used)

    def _observe(self, samples: Samples) -> None:
        kind = samples.layout, samples.values.shape
        if kind != self._kind:
            self.restart()
            self._kind = kind
        low, high = value_range(samples.values)
        self._low, self._high = min(low, self._low), max(high, self._high)
        self._frames += 1
        self.bits = next(bits for bits in BITS if self._high < 2**bits)

    def _check_bits(self, requested: int, used: int) -> None:
        """Log the number of bits that was found, or that more than requested are in use."""
        values = f'values from {self._low} to {self._high}'
        if requested:
            if self._high >= 2**used:
                self._warn_once(
                    'white',
                    f'image.bits is {used}, but the 16-bit images have {values}: all above '
                    f'{2**used - 1} are white',
                )
        elif used not in self._logged_bits and (used < BITS[-1] or self._logged_bits):
            self._logged_bits.add(used)
            self._info(
                f'16-bit images use {used} bits: {values}; if this is wrong, set image.bits'
            )

    def _check_contrast(self, used: int) -> None:
        levels = (self._high - self._low) * 256 // 2**used
        if levels < _MIN_LEVELS and self._low > self._high / 2:
            self._warn_once(
                'contrast',
                f'16-bit images have only values from {self._low} to {self._high}, {levels} of '
                '256 grey levels: the contrast is too low for depth; let the driver of a thermal '
                'camera publish mono8',
            )

    def _warn_once(self, subject: str, text: str) -> None:
        if subject not in self._warned:
            self._warned.add(subject)
            self._warn(text)


def check_bits(bits: int) -> None:
    """
    Check a requested number of bits.

    :raises ConfigError: it is neither 0 nor from 8 to 16.
    """
    if bits and not BITS[0] <= bits <= BITS[-1]:
        raise ConfigError(f'image.bits {bits} is not allowed; expected 0, or 8 to 16')


def value_range(values: UInt8 | UInt16) -> tuple[int, int]:
    """
    Return a low and a high value of an image without defective pixels, from a grid of pixels.

    :param values: (rows, W, samples); samples after the third are alpha and are ignored.
    """
    # An odd step, so that all colours of a Bayer pattern are on the grid.
    step = len(values) // _CHECKED_ROWS | 1
    ordered = np.sort(values[::step, ::step, :3].astype(np.uint16), axis=None)
    last = ceil((1 - _DEFECTIVE) * len(ordered)) - 1
    return int(ordered[len(ordered) - 1 - last]), int(ordered[last])


def _read_samples(message: Any) -> Samples:
    return read_samples(message) if hasattr(message, 'encoding') else decode_samples(message)
