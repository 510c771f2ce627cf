"""Poses of coordinate frames over time, from /tf, /tf_static and odometry of a recording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, reduce
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from flashdepth_ros.bags import BagReader
from flashdepth_ros.bags.runs import Int64, Run, split_runs
from flashdepth_ros.errors import BagError
from flashdepth_ros.evaluation.damage import until_damage

Float64 = npt.NDArray[np.float64]
Pose = tuple[float, ...]

TRANSFORM_TYPES = ('tf2_msgs/msg/TFMessage', 'tf/msg/tfMessage')
ODOMETRY = 'nav_msgs/msg/Odometry'
STATIC = 'tf_static'
#: How long before the first and after the last sample of a moving frame its pose is still used.
_EXTRAPOLATION_NS = 100_000_000
#: A pose that changes less (m, or a component of the quaternion) is constant.
_SAME_POSE = 1e-6


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
    """Poses (7,) of a frame in its parent, in the order of recording."""

    parent: str
    always: bool
    """Whether the last pose is valid at all times, because its topic has static transforms."""
    stamps_ns: list[int] = field(default_factory=list)
    recorded_ns: list[int] = field(default_factory=list)
    poses: list[tuple[float, ...]] = field(default_factory=list)

    @property
    def is_static(self) -> bool:
        """Return whether one pose is valid at all times."""
        return self.always or len(self.poses) == 1

    @cached_property
    def is_constant(self) -> bool:
        """Return whether the pose never changes."""
        return self.always or bool(np.ptp(self.poses, axis=0).max() < _SAME_POSE)

    @cached_property
    def _runs(self) -> list[Run]:
        return split_runs(self.stamps_ns, self.recorded_ns)

    @cached_property
    def _tracks(self) -> dict[int, tuple[Int64, Float64]]:
        """Return the times and the poses of each run by its start, in the order of time."""
        poses, tracks = np.array(self.poses), {}
        for run in self._runs:
            times = run.stamps_ns if run.has_stamps else run.recorded_ns
            # Of poses with the same stamp, the first is used: the others are repeated or late.
            unique, first = np.unique(times, return_index=True)
            tracks[run.start] = unique, poses[run.start + first]
        return tracks

    def at(self, time_ns: int | None, recorded_ns: int) -> Float64 | None:
        if self.is_static:
            return rigid(self.poses[-1])
        run = _run_at(self._runs, time_ns, recorded_ns)
        if not run.has_stamps:
            time_ns = recorded_ns
        elif time_ns is None:
            time_ns = int(run.stamps_at(recorded_ns))
        times, poses = self._tracks[run.start]
        if not times[0] - _EXTRAPOLATION_NS <= time_ns <= times[-1] + _EXTRAPOLATION_NS:
            return None
        if len(times) == 1:
            return rigid(poses[0])
        after = int(np.searchsorted(times, time_ns).clip(1, len(times) - 1))
        gap = int(times[after] - times[after - 1])
        fraction = min(max((time_ns - int(times[after - 1])) / gap, 0.0), 1.0)
        return rigid(_interpolate(poses[after - 1], poses[after], fraction))


def _run_at(runs: list[Run], time_ns: int | None, recorded_ns: int) -> Run:
    """Return the run of a message: the one whose clock fits, or without a stamp the nearest."""

    def distance(run: Run) -> int:
        if time_ns is not None and run.has_stamps:
            return abs(int(run.stamps_at(recorded_ns)) - time_ns)
        first, last = run.recorded_ns[[0, -1]].tolist()
        return max(first - recorded_ns, recorded_ns - last, 0)

    return runs[0] if len(runs) == 1 else min(runs, key=distance)


class TransformTree:
    """The coordinate frames of a robot, each with its parent."""

    def __init__(self) -> None:
        self._edges: dict[str, _Edge] = {}

    def add(
        self, frames: tuple[str, str], times_ns: tuple[int, int], pose: Pose, always: bool = False
    ) -> None:
        """
        Add a pose of a frame in its parent; only the first parent is used.

        :param frames: the parent and the child.
        :param times_ns: header stamp and time of recording.
        :param pose: as in `rigid`.
        :param always: whether it is valid at all times.
        """
        parent, child = (frame.lstrip('/') for frame in frames)
        edge = self._edges.setdefault(child, _Edge(parent, always))
        if edge.parent == parent and any(pose[3:]) and all(map(math.isfinite, pose)):
            edge.stamps_ns.append(times_ns[0])
            edge.recorded_ns.append(times_ns[1])
            edge.poses.append(pose)

    def root(self, frame: str) -> str:
        """Return the root of the frame's tree; the frame itself if it has no parent."""
        return self._chain(frame)[-1]

    def moves(self, frame: str) -> bool:
        """Return whether a transform between the frame and its root changes over time."""
        return any(not self._edges[each].is_static for each in self._chain(frame)[:-1])

    def pose(self, frame: str, time_ns: int | None, recorded_ns: int) -> Float64 | None:
        """
        Return the transform (4, 4) from the frame to its root at a time; None if unknown.

        Between two samples the position is interpolated linearly and the rotation spherically.

        :param time_ns: on the clock of the stamps; None: unknown, use the time of recording.
        :param recorded_ns: selects the run, if the clock was set back.
        """
        pose = np.eye(4)
        for each in self._chain(frame)[:-1]:
            step = self._edges[each].at(time_ns, recorded_ns)
            if step is None:
                return None
            pose = step @ pose
        return pose

    def constant(self, source: str, target: str) -> Float64 | None:
        """Return the transform (4, 4) between two frames that never changes; None: no such."""
        chains = [self._chain(frame) for frame in (source, target)]
        common = next((frame for frame in chains[0] if frame in chains[1]), None)
        if common is None:
            return None
        to_common = []
        for chain in chains:
            edges = [self._edges[frame] for frame in chain[: chain.index(common)]]
            if not all(edge.is_constant for edge in edges):
                return None
            poses = (rigid(edge.poses[-1]) for edge in reversed(edges))
            to_common.append(reduce(np.matmul, poses, np.eye(4)))
        return np.asarray(np.linalg.inv(to_common[1]) @ to_common[0])

    def _chain(self, frame: str) -> list[str]:
        chain = [frame.lstrip('/')]
        # A cycle of frames must not cause an endless loop.
        while (edge := self._edges.get(chain[-1])) and edge.poses and edge.parent not in chain:
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
        always = name.rpartition('/')[2] == STATIC
        for recorded_ns, message in _messages(bag, name):
            for each in message.transforms:
                pose = _pose(each.transform.translation, each.transform.rotation)
                tree.add(_frames(each), (_stamp_ns(each), recorded_ns), pose, always)
    odometries = [bag.topic(odometry).name] if odometry else _names(bag, (ODOMETRY,))
    if len(odometries) == 1:
        for recorded_ns, message in _messages(bag, odometries[0]):
            pose = _pose(message.pose.pose.position, message.pose.pose.orientation)
            tree.add(_frames(message), (_stamp_ns(message), recorded_ns), pose)
    return tree


def _messages(bag: BagReader, name: str) -> Iterator[tuple[int, Any]]:
    """Yield the times of recording and the valid messages of a topic, up to any damage."""
    for record in until_damage(bag.records(name)):
        try:
            yield record.stamp_ns, bag.message(record)
        except BagError:
            continue


def _frames(message: Any) -> tuple[str, str]:
    return message.header.frame_id, message.child_frame_id


def _names(bag: BagReader, types: tuple[str, ...]) -> list[str]:
    return [topic.name for topic in bag.topics if topic.type in types and topic.count]


def _stamp_ns(message: Any) -> int:
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)


def _pose(position: Any, rotation: Any) -> Pose:
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
