"""Point clouds as PLY files, which MeshLab, CloudCompare and Blender open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from flashdepth_ros.errors import InputError

_VERTEX = np.dtype(
    [
        *((axis, '<f4') for axis in ('x', 'y', 'z')),
        *((colour, 'u1') for colour in ('red', 'green', 'blue')),
    ]
)
_OPTICAL_TO_PLY = np.array((1, -1, -1), np.float32)
_TYPES = {'<f4': 'float', '|u1': 'uchar'}


def write_ply(path: Path, points: npt.NDArray[np.float32], rgb: npt.NDArray[np.uint8]) -> int:
    """
    Write the finite points as binary PLY and return their number.

    The file has x right, y up, z towards the viewer, as viewers expect: the scene is upright and
    seen from the camera.

    :param points: (..., 3) in metres in the optical frame: x right, y down, z forward.
    :param rgb: (..., 3), the colours of these points.
    :raises InputError: points and colours have different shapes.
    """
    if points.shape != rgb.shape:
        raise InputError(
            f'points of shape {points.shape} and colours of shape {rgb.shape}; '
            'expected (..., 3) for both'
        )
    finite = np.isfinite(points).all(axis=-1)
    vertices = np.empty(int(finite.sum()), _VERTEX)
    vertices['x'], vertices['y'], vertices['z'] = (points[finite] * _OPTICAL_TO_PLY).T
    vertices['red'], vertices['green'], vertices['blue'] = rgb[finite].T
    header = [
        'ply',
        'format binary_little_endian 1.0',
        'comment metres; x right, y up, z towards the viewer',
        f'element vertex {vertices.size}',
        *(f'property {_TYPES[_VERTEX[name].str]} {name}' for name in _VERTEX.names or ()),
        'end_header\n',
    ]
    path.write_bytes('\n'.join(header).encode('ascii') + vertices.tobytes())
    return vertices.size
