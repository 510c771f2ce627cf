"""Where true depth comes from: a topic of depth images, or a lidar's points."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol as Interface

import numpy as np

from flashdepth_ros.bags import BagReader, Frames, Topic, find_depth_topic, find_topic
from flashdepth_ros.camera.geometry import Float32, Intrinsics
from flashdepth_ros.camera.sampling import stride_within, thinned, thinned_intrinsics
from flashdepth_ros.errors import BagError, InputError
from flashdepth_ros.evaluation.damage import header_stamps, undamaged
from flashdepth_ros.evaluation.lidar import depth_of_points, read_points
from flashdepth_ros.evaluation.pairing import Pair
from flashdepth_ros.evaluation.protocol import Protocol, Topics
from flashdepth_ros.evaluation.transforms import Float64, TransformTree, rigid
from flashdepth_ros.messages import read_depth

POINT_CLOUD = 'sensor_msgs/msg/PointCloud2'


@dataclass(frozen=True)
class View:
    """What is known of a camera by its first picture."""

    shape: tuple[int, int]
    frame_id: str
    camera: Intrinsics | None

    @staticmethod
    def of(frames: Frames) -> View:
        """
        Look at the first picture.

        :raises BagError: not one can be used.
        """
        for frame in frames:
            camera = None if frame.camera is None else frame.camera.intrinsics
            return View((frame.rgb.shape[0], frame.rgb.shape[1]), frame.frame_id, camera)
        raise BagError(f'{frames.bag.path}: {frames.image} has no picture that can be read')


class Truth(Interface):
    """True depth of one bag, at some stamps, all maps of one shape."""

    topic: Topic
    shape: tuple[int, int]
    dense: bool
    """Whether neighbouring pixels have truth, as boundaries and alignment over time need."""
    camera: Intrinsics | None
    """Of these maps."""
    full_shape: tuple[int, int]
    """Before they were thinned by `stride`, so that what is compared is thinned alike."""
    stride: int

    @property
    def stamps_ns(self) -> tuple[int, ...]:
        """Return the stamps of all that there is."""

    def maps(self, pairs: Collection[Pair]) -> Iterator[tuple[int, Float32]]:
        """Yield the index of each pair with its depth (H, W) in metres, in the bag's order."""


class DepthImages:
    """Depth images of the same view as the pictures, of whatever size."""

    dense = True

    def __init__(self, bag: BagReader, topic: Topic, view: View, protocol: Protocol) -> None:
        self.bag = bag
        self.topic = topic
        first = read_depth(bag.message(next(bag.records(topic.name))))
        self.stride = stride_within(first.shape, protocol.pixels_max)
        thin = thinned(first, self.stride)
        self.full_shape = (first.shape[0], first.shape[1])
        self.shape = (thin.shape[0], thin.shape[1])
        self.camera: Intrinsics | None = None
        if view.camera is not None:
            height, width = first.shape
            self.camera = thinned_intrinsics(view.camera.resized(width, height), self.stride)

    @property
    def stamps_ns(self) -> tuple[int, ...]:
        """Return the stamps of the images."""
        return header_stamps(self.bag, self.topic.name)

    def maps(self, pairs: Collection[Pair]) -> Iterator[tuple[int, Float32]]:
        """Yield the index of each pair with its depth; an image that is broken is left out."""
        wanted = {pair.truth_ns: index for index, pair in enumerate(pairs)}
        for record in undamaged(self.bag.records(self.topic.name)):
            index = wanted.get(self.bag.header_stamp_ns(record) or 0)
            if index is None:
                continue
            try:
                depth = thinned(read_depth(self.bag.message(record)), self.stride)
            except (BagError, InputError):
                continue
            if depth.shape == self.shape:
                yield index, depth


class LidarPoints:
    """The points of a lidar, where they fall in the pictures."""

    dense = False

    def __init__(self, bag: BagReader, topic: Topic, view: View, protocol: Protocol) -> None:
        if view.camera is None:
            raise BagError(
                f'{bag.path}: no camera_info that fits the pictures, by which to project '
                f'{topic.name}; name it with --info-topic'
            )
        self.bag = bag
        self.topic = topic
        self._full = view.camera
        self._camera_frame = view.frame_id
        self.stride = stride_within(view.shape, protocol.pixels_max)
        thin = thinned_intrinsics(view.camera, self.stride)
        self.camera: Intrinsics | None = thin
        self.full_shape = view.shape
        self.shape = (thin.height, thin.width)
        self._tree = TransformTree()
        self._fixed: Float64 | None = None

    def placed(self, tree: TransformTree, pose: tuple[float, ...]) -> LidarPoints:
        """Say where the lidar is: a pose in the camera's frame, or () for what the tree says."""
        self._tree = tree
        self._fixed = rigid(pose) if pose else None
        return self

    @property
    def stamps_ns(self) -> tuple[int, ...]:
        """Return the stamps of the clouds."""
        return header_stamps(self.bag, self.topic.name)

    def maps(self, pairs: Collection[Pair]) -> Iterator[tuple[int, Float32]]:
        """
        Yield the index of each pair with its depth.

        :raises BagError: the bag does not say where the lidar stands.
        """
        wanted = {pair.truth_ns: (index, pair) for index, pair in enumerate(pairs)}
        for record in undamaged(self.bag.records(self.topic.name)):
            index, pair = wanted.get(self.bag.header_stamp_ns(record) or 0, (-1, None))
            if pair is None:
                continue
            try:
                cloud = self.bag.message(record)
                points = read_points(cloud)
            except (BagError, InputError):
                continue
            to_camera = self._to_camera(cloud.header.frame_id, pair)
            if to_camera is not None:
                moved = points @ to_camera[:3, :3].T + to_camera[:3, 3]
                yield index, depth_of_points(moved, self._full, self.shape, self.stride)

    def _to_camera(self, lidar_frame: str, pair: Pair) -> Float64 | None:
        """Return the transform from the lidar at its time to the camera at its own."""
        if self._fixed is not None:
            return self._fixed
        roots = [self._tree.root(frame) for frame in (lidar_frame, self._camera_frame)]
        if roots[0] != roots[1]:
            raise BagError(
                f'{self.bag.path}: /tf does not connect {lidar_frame!r} to '
                f'{self._camera_frame!r}; give the place of the lidar with --lidar-pose'
            )
        lidar = self._tree.pose(lidar_frame, pair.truth_ns)
        camera = self._tree.pose(self._camera_frame, pair.frame_ns)
        return None if lidar is None or camera is None else np.linalg.inv(camera) @ lidar


def find_truth(
    bag: BagReader, view: View, topics: Topics, tree: TransformTree, protocol: Protocol
) -> Truth:
    """
    Return the truth: the named lidar's, else of the named or only topic of depth images.

    :raises BagError: there is none, or several that may be meant.
    """
    if topics.lidar:
        lidar = find_topic(bag, (POINT_CLOUD,), topics.lidar)
        return LidarPoints(bag, lidar, view, protocol).placed(tree, topics.lidar_pose)
    try:
        return DepthImages(bag, find_depth_topic(bag, topics.depth), view, protocol)
    except BagError as error:
        clouds = [topic.name for topic in bag.topics if topic.type == POINT_CLOUD]
        advice = f'; or name a lidar with --lidar-topic: {", ".join(clouds)}' if clouds else ''
        raise BagError(f'true depth: {error}{advice}') from error
