"""Building blocks of textures: seamless noise, blocks with joints, colour ramps."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

SIZE = 256


def noise(
    rng: np.random.Generator, roughness: float = 1.0, stretch: float = 1.0, low: float = 1.0
) -> Array:
    """
    Return seamless fractal noise (SIZE, SIZE) with mean 0 and standard deviation 1.

    :param roughness: exponent of the spectral falloff; 0: white noise, 2: clouds.
    :param stretch: above 1 stretches the pattern along the second axis (x).
    :param low: lowest frequency, in periods per image.
    """
    fy = np.fft.fftfreq(SIZE)[:, None] * SIZE
    fx = np.fft.rfftfreq(SIZE)[None, :] * SIZE * stretch
    frequency = np.hypot(fx, fy)
    gain = np.where(frequency >= low, np.maximum(frequency, 1.0) ** -roughness, 0.0)
    phase = rng.uniform(0.0, 2.0 * math.pi, gain.shape)
    field = np.fft.irfft2(gain * np.exp(1j * phase), s=(SIZE, SIZE))
    return ((field - field.mean()) / max(field.std(), 1e-9)).astype(np.float32)


def grey(value: NDArray[np.floating]) -> Array:
    """Return a grey image (H, W, 3) with brightness (H, W)."""
    return np.repeat(value[..., None], 3, axis=2).astype(np.float32)


def coloured(
    value: NDArray[np.floating], dark: tuple[float, ...], light: tuple[float, ...]
) -> Array:
    """Return an image (H, W, 3) with colours from `dark` at 0 to `light` at 1."""
    mix = np.clip(value, 0.0, 1.0)[..., None]
    blend = (1.0 - mix) * np.asarray(dark, np.float32) + mix * np.asarray(light, np.float32)
    return blend.astype(np.float32)


def cells(columns: int, rows: int, joint_px: float, shift: float = 0.0) -> tuple[Array, Array]:
    """Return cell indices and joint mask of a block pattern; each row is shifted by `shift`."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    row = np.floor(y * rows / SIZE)
    across = x * columns / SIZE + row * shift
    column = np.floor(across) % columns
    edge_x = np.abs(across - np.floor(across) - 0.5) * 2.0
    edge_y = np.abs(y * rows / SIZE - row - 0.5) * 2.0
    near_x = (1.0 - edge_x) * SIZE / columns / 2.0
    near_y = (1.0 - edge_y) * SIZE / rows / 2.0
    joint = np.minimum(near_x, near_y) < joint_px / 2.0
    return (row * columns + column).astype(np.int64).astype(np.float32), joint.astype(np.float32)


def per_cell(rng: np.random.Generator, index: Array, spread: float) -> Array:
    """Return random offsets (H, W), constant within a cell."""
    table = rng.normal(0.0, spread, int(index.max()) + 1).astype(np.float32)
    return table[index.astype(np.int64)]
