"""Sources of true depth: depth images, or the points of a lidar or of another camera."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol as Interface

import numpy as np

from flashdepth_ros.bags import BagReader, Topic, find_depth_topic, find_topic
from flashdepth_ros.bags.track import Track
from flashdepth_ros.bags.view import View
from flashdepth_ros.camera.geometry import Float32, Intrinsics
from flashdepth_ros.camera.sampling import stride_for, subsample, subsampled_intrinsics
from flashdepth_ros.errors import BagError, InputError
from flashdepth_ros.evaluation.pairing import Pair, paired_messages
from flashdepth_ros.evaluation.projected_points import ProjectedPoints, camera_points, lidar_points
from flashdepth_ros.evaluation.protocol import Protocol, Topics
from flashdepth_ros.evaluation.transforms import TransformTree
from flashdepth_ros.messages import read_depth

POINT_CLOUD = 'sensor_msgs/msg/PointCloud2'
#: Largest difference of two frames that are at one place, m and matrix elements.
_SAME_PLACE = 1e-3


class GroundTruth(Interface):
    """True depth of one bag at some stamps; all maps have the same shape."""

    topic: Topic
    track: Track
    kind: str
    """What the depth is from, in words."""
    notes: tuple[str, ...]
    """What the user should know about it."""
    shape: tuple[int, int]
    dense: bool
    """Whether neighbouring pixels have ground truth; boundaries and temporal alignment need it."""
    camera: Intrinsics | None
    """Intrinsics of these maps."""
    full_shape: tuple[int, int]
    """Shape before subsampling by `stride`; predictions are subsampled in the same way."""
    stride: int

    def maps(self, pairs: Collection[Pair]) -> Iterator[tuple[int, Float32]]:
        """Yield the index of each pair and its depth (H, W) in metres, in recorded order."""


class DepthImages:
    """Depth images of the same camera view as the images, of any size."""

    dense = True
    kind = 'depth images'

    def __init__(
        self, bag: BagReader, topic: Topic, view: View, shape: tuple[int, int], protocol: Protocol
    ) -> None:
        self.topic = topic
        self.track = Track(bag, topic.name, partial=True)
        self.notes: tuple[str, ...] = ()
        self.stride = stride_for(shape, protocol.pixels_max)
        self.full_shape = shape
        rows, columns = subsample(np.empty(shape, np.float32), self.stride).shape
        self.shape = (rows, columns)
        self.camera: Intrinsics | None = None
        if view.camera is not None:
            full = view.camera.resized(shape[1], shape[0])
            self.camera = subsampled_intrinsics(full, self.stride)

    def maps(self, pairs: Collection[Pair]) -> Iterator[tuple[int, Float32]]:
        """Yield the index of each pair and its depth; invalid depth images are skipped."""
        for number, message in paired_messages(self.track, pairs):
            try:
                depth = subsample(read_depth(message), self.stride)
            except InputError:
                continue
            if depth.shape == self.shape:
                yield number, depth


def find_ground_truth(
    bag: BagReader, view: View, topics: Topics, tree: TransformTree, protocol: Protocol
) -> GroundTruth:
    """
    Return the ground truth from the named lidar, or from the named or only depth image topic.

    :raises BagError: there is no such topic, or there are several, or depth is of another camera
        and cannot be reprojected.
    """
    if topics.lidar:
        lidar = find_topic(bag, (POINT_CLOUD,), topics.lidar, option='--lidar-topic')
        return ProjectedPoints(lidar_points(bag, lidar, view, tree, topics.lidar_pose), protocol)
    topic = _depth_topic(bag, topics.depth)
    own = View.of_depth(bag, topic)
    images = DepthImages(bag, topic, view, own.shape, protocol)
    difference = other_camera(view, own, tree)
    if not difference:
        return images
    problem = f'true depth on {topic.name} is not of the camera of {view.topic}: {difference}'
    if protocol.allow_other_camera:
        images.notes = (f'{problem}; compared pixel by pixel (--allow-other-camera)',)
        return images
    try:
        points = ProjectedPoints(camera_points(bag, topic, view, own, tree), protocol)
    except InputError as error:
        raise BagError(
            f'{bag.path}: {problem}; it cannot be reprojected: {error}; record depth that is '
            'aligned to the image, or set --allow-other-camera'
        ) from error
    points.notes = (f'{problem}; reprojected with both camera_info and /tf_static',)
    return points


def other_camera(view: View, other: View, tree: TransformTree) -> str:
    """Return how the camera of a depth topic differs from that of the images; '': it does not."""
    pose = tree.constant(other.frame_id, view.frame_id)
    at_one_place = pose is not None and np.allclose(pose, np.eye(4), rtol=0, atol=_SAME_PLACE)
    frame = '' if at_one_place else view.frame_difference(other)
    return frame or view.camera_difference(other)


def _depth_topic(bag: BagReader, name: str) -> Topic:
    try:
        return find_depth_topic(bag, name)
    except BagError as error:
        clouds = [topic.name for topic in bag.topics if topic.type == POINT_CLOUD]
        advice = f'; or set a lidar with --lidar-topic: {", ".join(clouds)}' if clouds else ''
        raise BagError(f'true depth: {error}{advice}') from error
