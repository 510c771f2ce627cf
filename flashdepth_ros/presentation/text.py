"""Text on images."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

UInt8 = npt.NDArray[np.uint8]

TEXT_COLOUR = (40, 40, 40)
BACKGROUND = (255, 255, 255)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_text(
    image: UInt8,
    text: str,
    centre: tuple[int, int],
    size_px: int = 16,
    colour: tuple[int, int, int] = TEXT_COLOUR,
) -> None:
    """Draw one line into the image, centred at (x, y); capitals are about `size_px` high."""
    scale, weight = size_px / 22.0, max(1, size_px // 12)
    (width, height), _ = cv2.getTextSize(text, _FONT, scale, weight)
    corner = (centre[0] - width // 2, centre[1] + height // 2)
    cv2.putText(image, text, corner, _FONT, scale, colour, weight, cv2.LINE_AA)


def vertical_text(text: str, width: int, height: int, size_px: int = 16) -> UInt8:
    """Return a strip (height, width, 3) with the text centred in it, reading upwards."""
    strip = np.full((width, height, 3), BACKGROUND, np.uint8)
    draw_text(strip, text, (height // 2, width // 2), size_px)
    return np.ascontiguousarray(np.rot90(strip))
