"""True depth from points of another sensor, projected into the images."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from flashdepth_ros.bags import BagReader, Topic
from flashdepth_ros.bags.track import Track
from flashdepth_ros.bags.view import View
from flashdepth_ros.camera.geometry import Float32, Float64, Intrinsics, back_project, rays
from flashdepth_ros.camera.pose import rigid
from flashdepth_ros.camera.projection import depth_of_points
from flashdepth_ros.camera.sampling import stride_for, subsampled_intrinsics
from flashdepth_ros.errors import BagError, InputError
from flashdepth_ros.evaluation.pairing import Pair, paired_messages
from flashdepth_ros.evaluation.protocol import Protocol
from flashdepth_ros.evaluation.transforms import TransformTree
from flashdepth_ros.messages import read_depth, read_points

#: Minimum cosine of the angle between the optical axes of two cameras with a common view.
_COMMON_VIEW = 0.5


@dataclass(frozen=True)
class PointSource:
    """
    A topic whose messages are points in the frame of their sensor.

    :param kind: what the points are, in words.
    :param camera: the camera of the images.
    :param points: returns the points (N, 3) of a message in metres; InputError: it is invalid.
    :param to_camera: returns the transform (4, 4) of a message to the camera; None: unknown.
    """

    bag: BagReader
    topic: Topic
    kind: str
    camera: Intrinsics
    points: Callable[[Any], Float64]
    to_camera: Callable[[Any, Pair], Float64 | None]


class ProjectedPoints:
    """The points of a source, projected into the images; the nearest of a pixel is used."""

    dense = False

    def __init__(self, source: PointSource, protocol: Protocol) -> None:
        self._source = source
        self.topic = source.topic
        self.track = Track(source.bag, source.topic.name, partial=True)
        self.kind = source.kind
        self.notes: tuple[str, ...] = ()
        self.full_shape = (source.camera.height, source.camera.width)
        self.stride = stride_for(self.full_shape, protocol.pixels_max)
        subsampled = subsampled_intrinsics(source.camera, self.stride)
        self.camera: Intrinsics | None = subsampled
        self.shape = (subsampled.height, subsampled.width)

    def maps(self, pairs: Collection[Pair]) -> Iterator[tuple[int, Float32]]:
        """
        Yield the index of each pair and its depth; invalid messages are skipped.

        :raises BagError: the pose of the sensor is unknown.
        """
        paired = list(pairs)
        for number, message in paired_messages(self.track, pairs):
            try:
                points = self._source.points(message)
            except InputError:
                continue
            to_camera = self._source.to_camera(message, paired[number])
            if to_camera is not None:
                transformed = points @ to_camera[:3, :3].T + to_camera[:3, 3]
                yield (
                    number,
                    depth_of_points(transformed, self._source.camera, self.shape, self.stride),
                )


def lidar_points(
    bag: BagReader, topic: Topic, view: View, tree: TransformTree, pose: tuple[float, ...]
) -> PointSource:
    """
    Return the points of a lidar.

    :param pose: of the lidar in the camera frame, as in `rigid`; (): from the transform tree.
    :raises BagError: the camera of the images is unknown.
    """
    if view.camera is None:
        raise BagError(
            f'{bag.path}: no camera_info that matches the images; it is needed to project '
            f'{topic.name}: set it with --info-topic, and add --allow-other-camera if its '
            'frame_id differs'
        )

    def fixed_pose(_message: Any, _pair: Pair) -> Float64:
        return rigid(pose)

    def pose_from_tree(message: Any, pair: Pair) -> Float64 | None:
        """Return the transform from the lidar at its stamp to the camera at the image's stamp."""
        frame_id = message.header.frame_id
        if tree.root(frame_id) != tree.root(view.frame_id):
            raise BagError(
                f'{bag.path}: /tf does not connect {frame_id!r} to {view.frame_id!r}; set the '
                'pose of the lidar with --lidar-pose'
            )
        lidar = tree.pose(frame_id, pair.truth.time_ns, pair.truth.recorded_ns)
        camera = tree.pose(view.frame_id, pair.frame.time_ns, pair.frame.recorded_ns)
        return None if lidar is None or camera is None else np.linalg.inv(camera) @ lidar

    to_camera = fixed_pose if pose else pose_from_tree
    return PointSource(bag, topic, 'lidar points', view.camera, read_points, to_camera)


def camera_points(
    bag: BagReader, topic: Topic, view: View, own: View, tree: TransformTree
) -> PointSource:
    """
    Return the points of the depth images of another camera.

    :raises InputError: the cameras or the transform between them are unknown, or they do not look
        in one direction.
    """
    if view.camera is None or own.camera is None:
        unknown = own.topic if own.camera is None else view.topic
        raise InputError(f'{unknown} has no camera_info')
    pose = tree.constant(own.frame_id, view.frame_id)
    if pose is None or not (own.frame_id and view.frame_id):
        raise InputError(
            f'/tf has no constant transform from {own.frame_id!r} to {view.frame_id!r}'
        )
    if pose[2, 2] < _COMMON_VIEW:
        raise InputError(
            f'according to /tf, {own.frame_id!r} and {view.frame_id!r} look in different '
            'directions; is each an optical frame?'
        )
    directions = rays(own.camera)

    def points(message: Any) -> Float64:
        organised = back_project(read_depth(message), directions).reshape(-1, 3)
        return organised[np.isfinite(organised).all(axis=1)].astype(np.float64)

    kind = 'depth images of another camera, reprojected as points'
    return PointSource(bag, topic, kind, view.camera, points, lambda *_: pose)
