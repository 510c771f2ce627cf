"""Sources of true depth: a topic of depth images, or the points of a lidar."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol as Interface

import numpy as np

from flashdepth_ros.bags import BagReader, Frames, Topic, find_depth_topic, find_topic
from flashdepth_ros.camera.geometry import Float32, Intrinsics
from flashdepth_ros.camera.sampling import stride_for, subsample, subsampled_intrinsics
from flashdepth_ros.errors import BagError, InputError
from flashdepth_ros.evaluation.damage import header_stamps, until_damage
from flashdepth_ros.evaluation.lidar import depth_of_points, read_points
from flashdepth_ros.evaluation.pairing import Pair
from flashdepth_ros.evaluation.protocol import Protocol, Topics
from flashdepth_ros.evaluation.transforms import Float64, TransformTree, rigid
from flashdepth_ros.messages import read_depth

POINT_CLOUD = 'sensor_msgs/msg/PointCloud2'


@dataclass(frozen=True)
class View:
    """Properties of a camera, from its first image."""

    shape: tuple[int, int]
    frame_id: str
    camera: Intrinsics | None

    @staticmethod
    def of(frames: Frames) -> View:
        """
        Read the first valid image.

        :raises BagError: there is no valid image.
        """
        for frame in frames:
            camera = None if frame.camera is None else frame.camera.intrinsics
            return View((frame.rgb.shape[0], frame.rgb.shape[1]), frame.frame_id, camera)
        raise BagError(f'{frames.bag.path}: {frames.image} has no valid image')


class GroundTruth(Interface):
    """True depth of one bag at some stamps; all maps have the same shape."""

    topic: Topic
    shape: tuple[int, int]
    dense: bool
    """Whether neighbouring pixels have ground truth; boundaries and temporal alignment need it."""
    camera: Intrinsics | None
    """Intrinsics of these maps."""
    full_shape: tuple[int, int]
    """Shape before subsampling by `stride`; predictions are subsampled in the same way."""
    stride: int

    @property
    def stamps_ns(self) -> tuple[int, ...]:
        """Return all header stamps."""

    def maps(self, pairs: Collection[Pair]) -> Iterator[tuple[int, Float32]]:
        """Yield the index of each pair and its depth (H, W) in metres, in recorded order."""


class DepthImages:
    """Depth images of the same camera view as the images, of any size."""

    dense = True

    def __init__(self, bag: BagReader, topic: Topic, view: View, protocol: Protocol) -> None:
        self.bag = bag
        self.topic = topic
        first = read_depth(bag.message(next(bag.records(topic.name))))
        self.stride = stride_for(first.shape, protocol.pixels_max)
        subsampled = subsample(first, self.stride)
        self.full_shape = (first.shape[0], first.shape[1])
        self.shape = (subsampled.shape[0], subsampled.shape[1])
        self.camera: Intrinsics | None = None
        if view.camera is not None:
            height, width = first.shape
            self.camera = subsampled_intrinsics(view.camera.resized(width, height), self.stride)

    @property
    def stamps_ns(self) -> tuple[int, ...]:
        """Return the header stamps of the depth images."""
        return header_stamps(self.bag, self.topic.name)

    def maps(self, pairs: Collection[Pair]) -> Iterator[tuple[int, Float32]]:
        """Yield the index of each pair and its depth; invalid depth images are skipped."""
        indices = {pair.truth_ns: index for index, pair in enumerate(pairs)}
        for record in until_damage(self.bag.records(self.topic.name)):
            index = indices.get(self.bag.header_stamp_ns(record) or 0)
            if index is None:
                continue
            try:
                depth = subsample(read_depth(self.bag.message(record)), self.stride)
            except (BagError, InputError):
                continue
            if depth.shape == self.shape:
                yield index, depth


class LidarPoints:
    """The points of a lidar, projected into the images."""

    dense = False

    def __init__(self, bag: BagReader, topic: Topic, view: View, protocol: Protocol) -> None:
        if view.camera is None:
            raise BagError(
                f'{bag.path}: no camera_info that matches the images; it is needed to project '
                f'{topic.name}: set it with --info-topic'
            )
        self.bag = bag
        self.topic = topic
        self._full_camera = view.camera
        self._camera_frame = view.frame_id
        self.stride = stride_for(view.shape, protocol.pixels_max)
        subsampled = subsampled_intrinsics(view.camera, self.stride)
        self.camera: Intrinsics | None = subsampled
        self.full_shape = view.shape
        self.shape = (subsampled.height, subsampled.width)
        self._tree = TransformTree()
        self._fixed_pose: Float64 | None = None

    def with_pose(self, tree: TransformTree, pose: tuple[float, ...]) -> LidarPoints:
        """Set the lidar's pose in the camera frame; (): use the transform tree."""
        self._tree = tree
        self._fixed_pose = rigid(pose) if pose else None
        return self

    @property
    def stamps_ns(self) -> tuple[int, ...]:
        """Return the header stamps of the point clouds."""
        return header_stamps(self.bag, self.topic.name)

    def maps(self, pairs: Collection[Pair]) -> Iterator[tuple[int, Float32]]:
        """
        Yield the index of each pair and its depth.

        :raises BagError: the pose of the lidar is unknown.
        """
        by_stamp = {pair.truth_ns: (index, pair) for index, pair in enumerate(pairs)}
        for record in until_damage(self.bag.records(self.topic.name)):
            index, pair = by_stamp.get(self.bag.header_stamp_ns(record) or 0, (-1, None))
            if pair is None:
                continue
            try:
                cloud = self.bag.message(record)
                points = read_points(cloud)
            except (BagError, InputError):
                continue
            to_camera = self._to_camera(cloud.header.frame_id, pair)
            if to_camera is not None:
                transformed = points @ to_camera[:3, :3].T + to_camera[:3, 3]
                depth = depth_of_points(transformed, self._full_camera, self.shape, self.stride)
                yield index, depth

    def _to_camera(self, lidar_frame: str, pair: Pair) -> Float64 | None:
        """Return the transform from the lidar at its stamp to the camera at the image's stamp."""
        if self._fixed_pose is not None:
            return self._fixed_pose
        roots = [self._tree.root(frame) for frame in (lidar_frame, self._camera_frame)]
        if roots[0] != roots[1]:
            raise BagError(
                f'{self.bag.path}: /tf does not connect {lidar_frame!r} to '
                f'{self._camera_frame!r}; set the pose of the lidar with --lidar-pose'
            )
        lidar = self._tree.pose(lidar_frame, pair.truth_ns)
        camera = self._tree.pose(self._camera_frame, pair.frame_ns)
        return None if lidar is None or camera is None else np.linalg.inv(camera) @ lidar


def find_ground_truth(
    bag: BagReader, view: View, topics: Topics, tree: TransformTree, protocol: Protocol
) -> GroundTruth:
    """
    Return the ground truth from the named lidar, or from the named or only depth image topic.

    :raises BagError: there is no such topic, or there are several.
    """
    if topics.lidar:
        lidar = find_topic(bag, (POINT_CLOUD,), topics.lidar)
        return LidarPoints(bag, lidar, view, protocol).with_pose(tree, topics.lidar_pose)
    try:
        return DepthImages(bag, find_depth_topic(bag, topics.depth), view, protocol)
    except BagError as error:
        clouds = [topic.name for topic in bag.topics if topic.type == POINT_CLOUD]
        advice = f'; or set a lidar with --lidar-topic: {", ".join(clouds)}' if clouds else ''
        raise BagError(f'true depth: {error}{advice}') from error
