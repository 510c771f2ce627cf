"""Where frames stand at a time, by a recording's /tf, /tf_static and odometry."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from flashdepth_ros.bags import BagReader
from flashdepth_ros.evaluation.damage import undamaged

Float64 = npt.NDArray[np.float64]

TRANSFORM_TYPES = ('tf2_msgs/msg/TFMessage', 'tf/msg/tfMessage')
ODOMETRY = 'nav_msgs/msg/Odometry'
#: How far before the first and behind the last sample of a moving frame its place is still taken.
_BEYOND_NS = 100_000_000


def rigid(pose: npt.ArrayLike) -> Float64:
    """Return the matrix (4, 4) of x, y, z in metres and a quaternion x, y, z, w of any length."""
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
    """Poses (7,) of a frame in its parent, by time; one alone holds always."""

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
        if not times[0] - _BEYOND_NS <= stamp_ns <= times[-1] + _BEYOND_NS:
            return None
        after = int(np.searchsorted(times, stamp_ns).clip(1, len(times) - 1))
        gap = int(times[after] - times[after - 1])
        share = min(max((stamp_ns - int(times[after - 1])) / gap, 0.0), 1.0)
        return rigid(_between(poses[after - 1], poses[after], share))


class TransformTree:
    """The frames of a robot, each with its parent."""

    def __init__(self) -> None:
        self._edges: dict[str, _Edge] = {}

    def add(self, parent: str, child: str, stamp_ns: int, pose: tuple[float, ...]) -> None:
        """Let `child` stand in `parent` at this pose, as of `rigid`; the first parent stays."""
        parent, child = parent.lstrip('/'), child.lstrip('/')
        edge = self._edges.setdefault(child, _Edge(parent))
        if edge.parent == parent and any(pose[3:]):
            edge.samples[stamp_ns] = pose

    def root(self, frame: str) -> str:
        """Return the frame above all those above this one, itself where none is."""
        return self._chain(frame)[-1]

    def moves(self, frame: str) -> bool:
        """Tell whether anything between the frame and its root is known to move."""
        return any(len(self._edges[each].samples) > 1 for each in self._chain(frame)[:-1])

    def pose(self, frame: str, stamp_ns: int) -> Float64 | None:
        """
        Return the transform (4, 4) from the frame to its root at a time; None: not known then.

        Between two samples the place is interpolated linearly and the turn spherically.
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
        # Frames that are above themselves must not hold us here for ever.
        while (edge := self._edges.get(chain[-1])) and edge.samples and edge.parent not in chain:
            chain.append(edge.parent)
        return chain


def read_transforms(bag: BagReader, odometry: str = '') -> TransformTree:
    """
    Return what the bag says of its frames.

    Odometry counts like a transform where /tf does not place the same frame.

    :param odometry: its topic; '': the only one, if there is one only.
    :raises BagError: no such topic.
    """
    tree = TransformTree()
    for name in _names(bag, TRANSFORM_TYPES):
        for record in undamaged(bag.records(name)):
            for each in bag.message(record).transforms:
                pose = _pose(each.transform.translation, each.transform.rotation)
                tree.add(each.header.frame_id, each.child_frame_id, _stamp_ns(each), pose)
    odometries = [bag.topic(odometry).name] if odometry else _names(bag, (ODOMETRY,))
    if len(odometries) == 1:
        for record in undamaged(bag.records(*odometries)):
            each = bag.message(record)
            pose = _pose(each.pose.pose.position, each.pose.pose.orientation)
            tree.add(each.header.frame_id, each.child_frame_id, _stamp_ns(each), pose)
    return tree


def _names(bag: BagReader, types: tuple[str, ...]) -> list[str]:
    return [topic.name for topic in bag.topics if topic.type in types and topic.count]


def _stamp_ns(message: Any) -> int:
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)


def _pose(position: Any, turn: Any) -> tuple[float, ...]:
    return (position.x, position.y, position.z, turn.x, turn.y, turn.z, turn.w)


def _between(first: Float64, second: Float64, share: float) -> Float64:
    """Return the pose (7,) at this share of the way."""
    turns = [pose[3:] / np.linalg.norm(pose[3:]) for pose in (first, second)]
    cosine = float(turns[0] @ turns[1])
    if cosine < 0:  # the same turn, written the other way round
        turns[1], cosine = -turns[1], -cosine
    angle = math.acos(min(cosine, 1.0))
    weights = (1 - share, share)
    if angle > 1e-6:
        weights = (math.sin((1 - share) * angle), math.sin(share * angle))
    place = (1 - share) * first[:3] + share * second[:3]
    return np.concatenate((place, weights[0] * turns[0] + weights[1] * turns[1]))
