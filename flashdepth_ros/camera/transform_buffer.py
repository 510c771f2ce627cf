"""The last poses of coordinate frames, from transforms as they arrive."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
import math
from threading import Lock

import numpy as np

from flashdepth_ros.camera.geometry import Float64
from flashdepth_ros.camera.pose import Pose, chain_of_frames, interpolate, rigid
from flashdepth_ros.errors import InputError

_KEPT_NS = 10_000_000_000
_EXTRAPOLATION_NS = 100_000_000
"""How long before the first and after the last sample of a moving frame its pose is still used."""


@dataclass
class _Edge:
    """The poses (7,) of a frame in its parent, by ascending stamps."""

    parent: str
    always: bool
    """Whether the last pose is valid at all times."""
    stamps_ns: list[int] = field(default_factory=list)
    poses: list[Pose] = field(default_factory=list)

    def add(self, stamp_ns: int, pose: Pose) -> None:
        if self.always:
            self.stamps_ns, self.poses = [stamp_ns], [pose]
            return
        if self.stamps_ns and stamp_ns < self.stamps_ns[-1] - _KEPT_NS:
            # Time went back: a recording loops, or a simulation restarted.
            self.stamps_ns, self.poses = [], []
        place = bisect_left(self.stamps_ns, stamp_ns)
        self.stamps_ns.insert(place, stamp_ns)
        self.poses.insert(place, pose)
        old = bisect_left(self.stamps_ns, self.stamps_ns[-1] - _KEPT_NS)
        del self.stamps_ns[:old], self.poses[:old]

    def at(self, stamp_ns: int) -> Float64 | None:
        """Return the matrix (4, 4) at a time; None: there is no pose near it."""
        if self.always:
            return rigid(self.poses[-1])
        first, last = self.stamps_ns[0], self.stamps_ns[-1]
        if not first - _EXTRAPOLATION_NS <= stamp_ns <= last + _EXTRAPOLATION_NS:
            return None
        after = min(max(bisect_left(self.stamps_ns, stamp_ns), 1), len(self.poses) - 1)
        if len(self.poses) == 1:
            return rigid(self.poses[0])
        start, end = self.stamps_ns[after - 1 : after + 1]
        fraction = min(max((stamp_ns - start) / max(end - start, 1), 0.0), 1.0)
        before, behind = (np.asarray(each) for each in self.poses[after - 1 : after + 1])
        return rigid(interpolate(before, behind, fraction))


class TransformBuffer:
    """
    Keeps the transforms of the last ten seconds; one thread may add while another looks up.

    Between two samples the position is interpolated linearly and the rotation spherically.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._edges: dict[str, _Edge] = {}

    def add(self, parent: str, child: str, stamp_ns: int, pose: Pose, always: bool) -> None:
        """
        Add the pose of a frame in its parent; one with other numbers than a pose is ignored.

        :param always: whether it is valid at all times, as those of /tf_static are.
        """
        parent, child = parent.lstrip('/'), child.lstrip('/')
        if not (any(pose[3:]) and all(map(math.isfinite, pose))):
            return
        with self._lock:
            edge = self._edges.get(child)
            if edge is None or (edge.parent, edge.always) != (parent, always):
                edge = self._edges[child] = _Edge(parent, always)
            edge.add(stamp_ns, pose)

    def between(self, source: str, target: str, stamp_ns: int) -> Float64:
        """
        Return the transform (4, 4) from one frame to another at a time.

        :raises InputError: there is none; the message gives the cause.
        """
        source, target = source.lstrip('/'), target.lstrip('/')
        with self._lock:
            chains = [chain_of_frames(frame, self._parent) for frame in (source, target)]
            common = next((frame for frame in chains[0] if frame in chains[1]), None)
            if common is None:
                known = ', '.join(sorted(self._edges)[:8]) or 'none'
                raise InputError(
                    f'no transform from {source!r} to {target!r}: /tf and /tf_static do not '
                    f'connect them (frames with a parent: {known})'
                )
            to_source, to_target = (
                self._to(chain[: chain.index(common)], stamp_ns) for chain in chains
            )
        return np.asarray(np.linalg.inv(to_target) @ to_source)

    def _parent(self, frame: str) -> str | None:
        edge = self._edges.get(frame)
        return None if edge is None else edge.parent

    def _to(self, frames: Iterable[str], stamp_ns: int) -> Float64:
        """Return the transform from the first frame to the parent of the last one."""
        pose = np.eye(4)
        for frame in frames:
            edge = self._edges[frame]
            step = edge.at(stamp_ns)
            if step is None:
                apart_s = (stamp_ns - edge.stamps_ns[-1]) * 1e-9
                raise InputError(
                    f'no transform of {frame!r} in {edge.parent!r} at the time of the reference: '
                    f'it is {abs(apart_s):.2f} s {"after" if apart_s > 0 else "before"} the last '
                    'one on /tf'
                )
            pose = step @ pose
        return pose
