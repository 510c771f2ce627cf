"""Give images the colours and broad brightness of a photograph: `exchange_amplitude`."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def exchange_amplitude(rgb: Image, photograph: Image, beta: float, share: float = 1.0) -> Image:
    """
    Return the image (H, W, 3) with the low-frequency amplitudes of a photograph.

    Phases, and so edges, stay where they are (arXiv 2004.05498).

    :param beta: half the edge of the exchanged square of the spectrum, as a share of the image's.
    :param share: how far amplitudes move to those of the photograph, 0..1.
    """
    height, width = rgb.shape[:2]
    resized = cv2.resize(photograph, (width, height), interpolation=cv2.INTER_AREA)
    spectrum = np.fft.rfft2(rgb.astype(np.float32), axes=(0, 1))
    wanted = np.abs(np.fft.rfft2(resized.astype(np.float32), axes=(0, 1)))
    reach = int(beta * min(height, width))
    rows, columns = np.r_[-reach : reach + 1], np.s_[: reach + 1]
    low = spectrum[rows, columns]
    amplitude = np.maximum(np.abs(low), 1e-6)
    target = (1.0 - share) * amplitude + share * wanted[rows, columns]
    spectrum[rows, columns] = low * (target / amplitude)
    image = np.fft.irfft2(spectrum, s=(height, width), axes=(0, 1))
    return np.clip(image + 0.5, 0.0, 255.0).astype(np.uint8)
