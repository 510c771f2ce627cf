"""The calibration of still images, as camera_calibration writes it."""

from __future__ import annotations

from contextlib import suppress
import math
from pathlib import Path

from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.errors import InputError
from flashdepth_ros.stills.yaml_file import read_mapping, shown

_EXPECTED = 'expected a calibration as camera_calibration writes it, with'


def read_camera(path: Path) -> Intrinsics:
    """
    Return size and K of a file as camera_calibration writes it, without distortion.

    :raises InputError: it cannot be read, or size or matrix are missing or invalid.
    """
    content = read_mapping(path)
    width, height = (_pixels(path, content, key) for key in ('image_width', 'image_height'))
    fx, _, cx, _, fy, cy, *_ = _matrix(path, content.get('camera_matrix'))
    try:
        return Intrinsics(width, height, fx, fy, cx, cy)
    except InputError as error:
        raise InputError(f'{path.name}: {error}') from error


def _pixels(path: Path, content: dict[str, object], key: str) -> int:
    value = content.get(key)
    number = _number(value)
    if number is None or number < 1 or number % 1:
        came = f'is {shown(value)}' if key in content else 'is missing'
        raise InputError(f'{path.name}: {key} {came}; {_EXPECTED} a whole number of pixels')
    return int(number)


def _matrix(path: Path, matrix: object) -> list[float]:
    data = matrix.get('data') if isinstance(matrix, dict) else None
    values = data if isinstance(data, list) else []
    numbers = [number for number in map(_number, values) if number is not None]
    if len(numbers) != 9 or len(values) != 9:
        came = 'is missing' if data is None else f'is {shown(data)}'
        raise InputError(
            f'{path.name}: data of camera_matrix {came}; {_EXPECTED} the 9 numbers of K'
        )
    return numbers


def _number(value: object) -> float | None:
    """Return the finite number, also of text like 1e-5, which YAML does not take for a number."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            number = float(value)
            return number if math.isfinite(number) else None
    return None
