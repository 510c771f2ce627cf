"""Transforms and odometry of a recording as plain numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from flashdepth_ros.bags.reader import BagReader
from flashdepth_ros.camera.pose import Pose

TRANSFORM_TYPES = ('tf2_msgs/msg/TFMessage', 'tf/msg/tfMessage')
_STATIC = 'tf_static'


class RecordedTransform(NamedTuple):
    """The pose of a frame in its parent, and its header stamp."""

    parent: str
    child: str
    stamp_ns: int
    pose: Pose


def transform_topics(bag: BagReader) -> list[str]:
    """Return the names of the topics with transforms."""
    return [topic.name for topic in bag.topics if topic.type in TRANSFORM_TYPES and topic.count]


def is_static(topic: str) -> bool:
    """Return whether the transforms of a topic are valid at all times."""
    return topic.rpartition('/')[2] == _STATIC


def transforms_of(message: Any) -> Iterator[RecordedTransform]:
    """Yield the transforms of a tf2_msgs/TFMessage."""
    for each in message.transforms:
        pose = pose_of(each.transform.translation, each.transform.rotation)
        frame_id, child = each.header.frame_id, each.child_frame_id
        yield RecordedTransform(frame_id, child, header_stamp_ns(each), pose)


def pose_of(position: Any, rotation: Any) -> Pose:
    """Return the pose of a position and a quaternion with the fields x, y, z and w."""
    quaternion = (rotation.x, rotation.y, rotation.z, rotation.w)
    return (position.x, position.y, position.z, *quaternion)


def header_stamp_ns(message: Any) -> int:
    """Return the stamp of a message with a header, ns."""
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)
