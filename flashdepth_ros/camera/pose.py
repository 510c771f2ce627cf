"""Poses of coordinate frames: as matrices, between two times, and along a tree of frames."""

from __future__ import annotations

from collections.abc import Callable
import math

import numpy as np
import numpy.typing as npt

from flashdepth_ros.camera.geometry import Float64

Pose = tuple[float, ...]
"""x, y, z in metres and a quaternion x, y, z, w of any norm."""


def rigid(pose: npt.ArrayLike) -> Float64:
    """Return the matrix (4, 4) of x, y, z in metres and a quaternion x, y, z, w of any norm."""
    px, py, pz, *quaternion = np.asarray(pose, np.float64).tolist()
    x, y, z, w = (q / math.hypot(*quaternion) for q in quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w), px],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w), py],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y), pz],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )


def interpolate(first: Float64, second: Float64, fraction: float) -> Float64:
    """Return the pose (7,) at a fraction of the way from the first to the second."""
    rotations = [pose[3:] / np.linalg.norm(pose[3:]) for pose in (first, second)]
    cosine = float(rotations[0] @ rotations[1])
    if cosine < 0:  # q and -q are the same rotation; the nearer one gives the shorter way
        rotations[1], cosine = -rotations[1], -cosine
    angle = math.acos(min(cosine, 1.0))
    weights = (1 - fraction, fraction)
    if angle > 1e-6:
        weights = (math.sin((1 - fraction) * angle), math.sin(fraction * angle))
    position = (1 - fraction) * first[:3] + fraction * second[:3]
    rotation = weights[0] * rotations[0] + weights[1] * rotations[1]
    return np.concatenate((position, rotation))


def chain_of_frames(frame: str, parent: Callable[[str], str | None]) -> list[str]:
    """
    Return the frame and its ancestors, up to the root of its tree.

    :param parent: returns the parent of a frame; None: it has none.
    """
    chain = [frame.lstrip('/')]
    # A cycle of frames must not cause an endless loop.
    while (above := parent(chain[-1])) is not None and above not in chain:
        chain.append(above)
    return chain
