"""The colour preview of depth images."""

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.errors import ConfigError

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]


PREVIEW_LEVELS = 255
"""Of known depth: the last entry of the palette, of the near end."""


def colorize(depth: Float32, minimum: float, maximum: float) -> UInt8:
    """
    Return an RGB preview (H, W, 3): dark red up to `minimum`, dark blue from `maximum` on.

    The colour scale is linear in inverse depth and the same in every frame; NaN is black.

    :param depth: (H, W) in metres, with the infinities of REP 117.
    :raises ConfigError: the limits are not positive and ascending.
    """
    if not 0 < minimum < maximum:
        raise ConfigError(
            f'invalid preview range {minimum} to {maximum} m; expected 0 < minimum < maximum'
        )
    near_to_far = np.clip(np.asarray(depth, np.float32), np.float32(minimum), np.float32(maximum))
    # Known depth has the levels 1 to 255, linear in inverse depth: 255 at the near end.
    per_level = (PREVIEW_LEVELS - 1) / (1.0 / minimum - 1.0 / maximum)
    inverse = np.divide(np.float32(per_level), near_to_far, out=near_to_far)
    # Rounds and saturates; NaN becomes level 0.
    levels = cv2.convertScaleAbs(inverse, alpha=1.0, beta=1.0 - per_level / maximum)
    return np.asarray(cv2.applyColorMap(levels, palette()), np.uint8)


@cache
def palette() -> UInt8:
    """Return the RGB palette (256, 1, 3) of the preview: black, then entries 1 to 255 of Turbo."""
    levels = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    colours[0] = 0
    return np.asarray(colours, np.uint8)
