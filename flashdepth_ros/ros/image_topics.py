"""The image topics of the ROS graph: which exist, which to suggest first, how to subscribe."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from os.path import commonpath
from pathlib import PurePosixPath
import re

from rclpy.node import Node
from rclpy.topic_endpoint_info import TopicEndpointInfo

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
_TIMING, _TIMING_TYPE = '/timing', 'diagnostic_msgs/msg/DiagnosticArray'
"""By this private topic a depth node is known."""

_COMPRESSED = '/compressed'
# Also of type CompressedImage, but not with JPEG or PNG of colour.
_OTHER_TRANSPORTS = ('/compressedDepth', '/zstd', '/theora')
_COLOUR = re.compile('colou?r|rgb|bgr')
_LEFT = re.compile('left')
_NOT_COLOUR = re.compile(
    'depth|dispar|infra|mask|confid|label|segment|semantic|thermal|(?<![a-z])ir(?![a-z])'
)


@dataclass(frozen=True)
class ImageStream:
    """Images that the node can subscribe to: a raw topic, a compressed one, or both."""

    base: str
    """Name of the raw topic, whether it exists or not."""
    raw: bool
    compressed: str
    """Name of the compressed topic; '' if there is none."""

    @property
    def topic(self) -> str:
        """The name of the raw topic, or of the compressed one if it is the only one."""
        return self.base if self.raw else self.compressed

    def has(self, topic: str) -> bool:
        """Return whether a topic carries these images."""
        return topic == self.compressed or (self.raw and topic == self.base)

    def arguments(self, topic: str, compressed: bool, camera: str = '') -> str:
        """
        Return the arguments that make the node subscribe to this stream.

        :param topic: what the node is subscribed to; if it is of this stream, it is kept.
        :param compressed: whether the node expects compressed images on it.
        :param camera: the name of the node's camera; '' if it has one only.
        """
        image, transport = 'image', 'image_transport'
        if camera:
            image, transport = f'{camera}/{image}', f'{camera}.{transport}'
        if self.has(topic):
            use_compressed = topic == self.compressed
        else:
            use_compressed = bool(self.compressed) and (compressed or not self.raw)
        rule = f'-r {image}:={self.base}'
        if not use_compressed:
            return f'{rule} -p {transport}:=raw' if compressed else rule
        if self.compressed != self.base + _COMPRESSED:
            rule = f'-r {image}/compressed:={self.compressed}'
        return f'{rule} -p {transport}:=compressed'


def image_streams(node: Node) -> list[ImageStream]:
    """Return the image streams that other nodes publish, those of colour cameras first."""
    found: dict[str, dict[str, str]] = {}
    for topic, types in _published(node, (IMAGE, COMPRESSED_IMAGE)):
        for kind in types:
            is_copy = kind == COMPRESSED_IMAGE and topic.endswith(_COMPRESSED)
            base = topic.removesuffix(_COMPRESSED) if is_copy else topic
            if kind == IMAGE or not topic.endswith(_OTHER_TRANSPORTS):
                found.setdefault(base, {})[kind] = topic
    streams = [
        ImageStream(base, IMAGE in kinds, kinds.get(COMPRESSED_IMAGE, ''))
        for base, kinds in found.items()
    ]
    return sorted(streams, key=lambda each: (*rank(each.base), not each.raw, each.base))


def camera_info_topics(node: Node, image: str) -> list[str]:
    """Return the camera_info topics that other nodes publish, the one for the image first."""
    beside = camera_info_beside(image)

    def order(topic: str) -> tuple[bool, int, tuple[int, ...], str]:
        return topic != beside, -_common_parts(topic, image), rank(topic), topic

    return sorted((topic for topic, _ in _published(node, (CAMERA_INFO,))), key=order)


def camera_info_beside(image: str) -> str:
    """Return the name of the camera_info topic that belongs to an image topic by convention."""
    return str(PurePosixPath(image.removesuffix(_COMPRESSED)).with_name('camera_info'))


def published_types(node: Node, topic: str) -> set[str]:
    """Return the message types that are published on a topic; subscriptions do not count."""
    return {each.topic_type for each in node.get_publishers_info_by_topic(topic)}


def rank(topic: str) -> tuple[int, ...]:
    """Return a key to sort topics: colour images first, then others, last those without colour."""
    name = topic.lower()
    if _NOT_COLOUR.search(name):
        group = 3
    elif _COLOUR.search(name):
        group = 0
    else:
        group = 1 if _LEFT.search(name) else 2
    return group, 'image_raw' not in name


def _published(node: Node, types: Collection[str]) -> Iterator[tuple[str, set[str]]]:
    """
    Yield the topics that other nodes publish with one of these types, and these types.

    The outputs of depth nodes do not count.
    """
    own = dict(node.get_publisher_names_and_types_by_node(node.get_name(), node.get_namespace()))
    depth_nodes = _depth_nodes(node)
    for topic, known in node.get_topic_names_and_types():
        if topic in own or not set(known) & set(types):
            continue
        publishers = node.get_publishers_info_by_topic(topic)
        published = {each.topic_type for each in publishers if _name(each) not in depth_nodes}
        if published & set(types):
            yield topic, published & set(types)


def _depth_nodes(node: Node) -> set[str]:
    """Return the full names of the depth nodes: they publish `~/timing` or `~/CAMERA/timing`."""
    return {
        _name(each)
        for topic, known in node.get_topic_names_and_types()
        if topic.endswith(_TIMING) and _TIMING_TYPE in known
        for each in node.get_publishers_info_by_topic(topic)
        if topic.startswith(f'{_name(each)}/')
    }


def _name(publisher: TopicEndpointInfo) -> str:
    """Return the full name of the node of a publisher."""
    return f'{publisher.node_namespace.rstrip("/")}/{publisher.node_name}'


def _common_parts(first: str, second: str) -> int:
    """Return the number of namespaces that two topics share."""
    return len(PurePosixPath(commonpath((first, second))).parts)
