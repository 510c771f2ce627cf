"""True depth of a still image, read from a PNG or NPY file."""

from __future__ import annotations

from pathlib import Path
from tokenize import TokenError
from zipfile import BadZipFile

import cv2
import numpy as np

from flashdepth_ros.camera.geometry import Float32
from flashdepth_ros.errors import InputError

_DAMAGE = (OSError, ValueError, EOFError, MemoryError, TokenError, BadZipFile)
"""What reading a damaged NPY file can raise."""


def read_depth(path: Path, units_per_metre: float) -> Float32:
    """
    Return depth (H, W) in metres; NaN where it is unknown: 0 or less, infinity or NaN in the file.

    :param units_per_metre: of a PNG file; an NPY file has metres.
    :raises InputError: the file cannot be read, or it is no depth.
    """
    is_npy = path.suffix.lower() == '.npy'
    with np.errstate(invalid='ignore', over='ignore'):
        depth = _read_npy(path) if is_npy else _read_png(path, units_per_metre)
        return np.where((depth > 0) & np.isfinite(depth), depth, np.float32(np.nan))


def _read_png(path: Path, units_per_metre: float) -> Float32:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise InputError(f'{path.name}: cannot be read as a PNG file')
    if pixels.dtype != np.uint16 or pixels.ndim != 2:
        raise InputError(
            f'{path.name}: {pixels.dtype} with shape {pixels.shape}; expected one channel of '
            '16 bits'
        )
    return pixels.astype(np.float32) / np.float32(units_per_metre)


def _read_npy(path: Path) -> Float32:
    try:
        # Opened here, because np.load leaves a damaged archive open.
        with path.open('rb') as file:
            values = np.load(file, allow_pickle=False)
    except _DAMAGE as error:
        raise InputError(
            f'{path.name}: cannot be read as an NPY file; expected an array of floating-point '
            'metres (H, W), saved by numpy.save'
        ) from error
    if not isinstance(values, np.ndarray):
        raise InputError(f'{path.name}: an NPZ archive; expected one array, saved by numpy.save')
    metres = values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values
    if metres.ndim != 2 or not metres.size or not np.issubdtype(metres.dtype, np.floating):
        raise InputError(
            f'{path.name}: {values.dtype} with shape {values.shape}; expected floating-point '
            'metres (H, W)'
        )
    return np.asarray(metres, np.float32)
