"""Whether the intrinsics of two images of any size are those of one camera."""

from __future__ import annotations

import numpy as np

from flashdepth_ros.camera.geometry import Intrinsics, project, rays

#: Cameras whose pixels differ by less, as a fraction of the longer side, are the same.
_SAME_CAMERA = 0.01
_GRID = 8


def camera_difference(camera: Intrinsics, other: Intrinsics) -> str:
    """Return how another camera differs, beyond rounding, at the size of its image; '': not."""
    expected = camera.resized(other.width, other.height)
    if _pixels_apart(expected, other) <= 1 + _SAME_CAMERA * max(other.width, other.height):
        return ''
    return f'camera_info with {_describe(other)} instead of {_describe(expected)}'


def _pixels_apart(first: Intrinsics, second: Intrinsics) -> float:
    """Return the largest distance between the pixels of one ray in two cameras of one size."""
    stride = max(1, min(first.width, first.height) // _GRID)
    directions = rays(first, stride)
    points = np.concatenate((directions, np.ones_like(directions[..., :1])), axis=-1)
    pixels = np.stack(
        np.meshgrid(np.arange(0, first.width, stride), np.arange(0, first.height, stride)), axis=-1
    )
    apart = np.linalg.norm(project(points, second) - pixels, axis=-1)
    return float(np.nanmax(apart, initial=0.0))


def _describe(camera: Intrinsics) -> str:
    numbers = (f'{name} {getattr(camera, name):.1f}' for name in ('fx', 'fy', 'cx', 'cy'))
    lens = ', '.join(f'{each:.3g}' for each in camera.distortion)
    distortion = f' {camera.distortion_model} ({lens})' if camera.distortion_model else ''
    return f'{", ".join(numbers)} px{distortion}'
