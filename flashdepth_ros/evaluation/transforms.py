"""Poses of coordinate frames over time, from /tf, /tf_static and odometry of a recording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, reduce
import math
from typing import Any

import numpy as np

from flashdepth_ros.bags import BagReader
from flashdepth_ros.bags.runs import Int64, Run, split_runs
from flashdepth_ros.bags.transforms import (
    header_stamp_ns,
    is_static,
    pose_of,
    transform_topics,
    transforms_of,
)
from flashdepth_ros.camera.geometry import Float64
from flashdepth_ros.camera.pose import Pose, chain_of_frames, interpolate, rigid
from flashdepth_ros.errors import BagError
from flashdepth_ros.evaluation.damage import until_damage

ODOMETRY = 'nav_msgs/msg/Odometry'
#: How long before the first and after the last sample of a moving frame its pose is still used.
_EXTRAPOLATION_NS = 100_000_000
#: A pose that changes less (m, or a component of the quaternion) is constant.
_SAME_POSE = 1e-6


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
        return rigid(interpolate(poses[after - 1], poses[after], fraction))


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
        return chain_of_frames(frame, self._parent)

    def _parent(self, frame: str) -> str | None:
        edge = self._edges.get(frame)
        return None if edge is None or not edge.poses else edge.parent


def read_transforms(bag: BagReader, odometry: str = '') -> TransformTree:
    """
    Return the transforms that the bag contains.

    Odometry is used as a transform if /tf has none for the same frame.

    :param odometry: the odometry topic; '': the only one; none if there are several.
    :raises BagError: the topic does not exist.
    """
    tree = TransformTree()
    for name in transform_topics(bag):
        for recorded_ns, message in _messages(bag, name):
            for parent, child, stamp_ns, pose in transforms_of(message):
                tree.add((parent, child), (stamp_ns, recorded_ns), pose, is_static(name))
    odometries = [bag.topic(odometry).name] if odometry else _odometries(bag)
    if len(odometries) == 1:
        for recorded_ns, message in _messages(bag, odometries[0]):
            pose = pose_of(message.pose.pose.position, message.pose.pose.orientation)
            frames = message.header.frame_id, message.child_frame_id
            tree.add(frames, (header_stamp_ns(message), recorded_ns), pose)
    return tree


def _messages(bag: BagReader, name: str) -> Iterator[tuple[int, Any]]:
    """Yield the times of recording and the valid messages of a topic, up to any damage."""
    for record in until_damage(bag.records(name)):
        try:
            yield record.stamp_ns, bag.message(record)
        except BagError:
            continue


def _odometries(bag: BagReader) -> list[str]:
    return [topic.name for topic in bag.topics if topic.type == ODOMETRY and topic.count]
