"""Poses of coordinate frames over time, from /tf, /tf_static and odometry of a recording."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from flashdepth_ros.bags import BagReader
from flashdepth_ros.evaluation.damage import until_damage

Float64 = npt.NDArray[np.float64]

TRANSFORM_TYPES = ('tf2_msgs/msg/TFMessage', 'tf/msg/tfMessage')
ODOMETRY = 'nav_msgs/msg/Odometry'
#: How long before the first and after the last sample of a moving frame its pose is still used.
_EXTRAPOLATION_NS = 100_000_000


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


@dataclass
class _Edge:
    """Poses (7,) of a frame in its parent, by time; a single one is valid at all times."""

    parent: str
    samples: dict[int, tuple[float, ...]] = field(default_factory=dict)

    @cached_property
    def _track(self) -> tuple[npt.NDArray[np.int64], Float64]:
        times = sorted(self.samples)
        return np.array(times, np.int64), np.array([self.samples[time] for time in times])

    def at(self, stamp_ns: int) -> Float64 | None:
        times, poses = self._track
        if len(times) == 1:
            return rigid(poses[0])
        if not times[0] - _EXTRAPOLATION_NS <= stamp_ns <= times[-1] + _EXTRAPOLATION_NS:
            return None
        after = int(np.searchsorted(times, stamp_ns).clip(1, len(times) - 1))
        gap = int(times[after] - times[after - 1])
        fraction = min(max((stamp_ns - int(times[after - 1])) / gap, 0.0), 1.0)
        return rigid(_interpolate(poses[after - 1], poses[after], fraction))


class TransformTree:
    """The coordinate frames of a robot, each with its parent."""

    def __init__(self) -> None:
        self._edges: dict[str, _Edge] = {}

    def add(self, parent: str, child: str, stamp_ns: int, pose: tuple[float, ...]) -> None:
        """Add a pose of `child` in `parent`, as in `rigid`; only the first parent is used."""
        parent, child = parent.lstrip('/'), child.lstrip('/')
        edge = self._edges.setdefault(child, _Edge(parent))
        if edge.parent == parent and any(pose[3:]):
            edge.samples[stamp_ns] = pose

    def root(self, frame: str) -> str:
        """Return the root of the frame's tree; the frame itself if it has no parent."""
        return self._chain(frame)[-1]

    def moves(self, frame: str) -> bool:
        """Return whether a transform between the frame and its root changes over time."""
        return any(len(self._edges[each].samples) > 1 for each in self._chain(frame)[:-1])

    def pose(self, frame: str, stamp_ns: int) -> Float64 | None:
        """
        Return the transform (4, 4) from the frame to its root at a time; None if unknown.

        Between two samples the position is interpolated linearly and the rotation spherically.
        """
        pose = np.eye(4)
        for each in self._chain(frame)[:-1]:
            step = self._edges[each].at(stamp_ns)
            if step is None:
                return None
            pose = step @ pose
        return pose

    def _chain(self, frame: str) -> list[str]:
        chain = [frame.lstrip('/')]
        # A cycle of frames must not cause an endless loop.
        while (edge := self._edges.get(chain[-1])) and edge.samples and edge.parent not in chain:
            chain.append(edge.parent)
        return chain


def read_transforms(bag: BagReader, odometry: str = '') -> TransformTree:
    """
    Return the transforms that the bag contains.

    Odometry is used as a transform if /tf has none for the same frame.

    :param odometry: the odometry topic; '': the only one; none if there are several.
    :raises BagError: the topic does not exist.
    """
    tree = TransformTree()
    for name in _names(bag, TRANSFORM_TYPES):
        for record in until_damage(bag.records(name)):
            for each in bag.message(record).transforms:
                pose = _pose(each.transform.translation, each.transform.rotation)
                tree.add(each.header.frame_id, each.child_frame_id, _stamp_ns(each), pose)
    odometries = [bag.topic(odometry).name] if odometry else _names(bag, (ODOMETRY,))
    if len(odometries) == 1:
        for record in until_damage(bag.records(*odometries)):
            each = bag.message(record)
            pose = _pose(each.pose.pose.position, each.pose.pose.orientation)
            tree.add(each.header.frame_id, each.child_frame_id, _stamp_ns(each), pose)
    return tree


def _names(bag: BagReader, types: tuple[str, ...]) -> list[str]:
    return [topic.name for topic in bag.topics if topic.type in types and topic.count]


def _stamp_ns(message: Any) -> int:
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)


def _pose(position: Any, rotation: Any) -> tuple[float, ...]:
    quaternion = (rotation.x, rotation.y, rotation.z, rotation.w)
    return (position.x, position.y, position.z, *quaternion)


def _interpolate(first: Float64, second: Float64, fraction: float) -> Float64:
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
