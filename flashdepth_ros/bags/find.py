"""Find a topic in a recording by name, or by type if only one topic matches."""

from __future__ import annotations

from collections.abc import Callable, Collection
from os.path import commonpath
from typing import Any

from flashdepth_ros.bags.reader import BagReader, Topic
from flashdepth_ros.errors import BagError

RAW_IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
DEPTH_ENCODINGS = ('16UC1', '32FC1')
"""The encodings of depth images in REP 118."""


def find_topic(
    bag: BagReader,
    types: Collection[str],
    name: str = '',
    matches: Callable[[Any], bool] = lambda _: True,
) -> Topic:
    """
    Return the topic of this name, or without a name the only matching topic of these types.

    A topic below another one that matches, such as image_raw/compressed, is a copy of that.

    :param matches: return whether the first message of a topic has the wanted content.
    :raises BagError: no topic matches, or several do, or the named topic has another type or no
        messages. The error lists the topics to choose from.
    """
    candidates = [topic for topic in bag.topics if topic.type in types and topic.count]
    if name:
        topic = bag.topic(name)
        if topic not in candidates:
            raise BagError(
                f'{bag.path}: {topic} cannot be used; expected {_or(types)} with messages'
            )
        return topic
    matching = [topic for topic in candidates if matches(_first_message(bag, topic))]
    # A compressed copy has the name of its original and a suffix.
    originals = tuple(f'{topic.name}/' for topic in matching)
    matching = [topic for topic in matching if not topic.name.startswith(originals)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise BagError(
            f'{bag.path}: {len(matching)} topics match, select one by name: {_list(matching)}'
        )
    raise BagError(
        f'{bag.path}: no matching topic of type {_or(types)}; the bag has {_list(bag.topics)}'
    )


def find_image_topic(bag: BagReader, name: str = '') -> Topic:
    """Return the topic of images, raw or compressed, without depth; see `find_topic`."""
    return find_topic(bag, (RAW_IMAGE, COMPRESSED_IMAGE), name, lambda m: not is_depth(m))


def find_depth_topic(bag: BagReader, name: str = '') -> Topic:
    """Return the topic of depth images, raw or compressed; see `find_topic`."""
    return find_topic(bag, (RAW_IMAGE, COMPRESSED_IMAGE), name, is_depth)


def find_camera_info_topic(bag: BagReader, image: Topic, name: str = '') -> Topic | None:
    """
    Return the topic of this name, or without a name the one closest to the image topic's name.

    Return None if no name is given and the bag has no camera_info.

    :raises BagError: the named topic does not exist, has another type, or has no messages.
    """
    if name:
        return find_topic(bag, (CAMERA_INFO,), name)
    found = [topic for topic in bag.topics if topic.type == CAMERA_INFO and topic.count]
    return max(found, key=lambda topic: len(_shared_namespace(topic, image)), default=None)


def _shared_namespace(first: Topic, second: Topic) -> str:
    # Recordings of ROS 1 may lack the leading slash.
    return commonpath([f'/{topic.name.lstrip("/")}' for topic in (first, second)])


def is_depth(message: Any) -> bool:
    """Return whether an Image or CompressedImage contains depth instead of intensity or colour."""
    encoding = message.encoding if hasattr(message, 'encoding') else message.format
    return encoding.startswith(DEPTH_ENCODINGS) or 'compressedDepth' in encoding


def _first_message(bag: BagReader, topic: Topic) -> Any:
    first = next(bag.records(topic.name), None)
    if first is None:
        raise BagError(
            f'{bag.path}: metadata.yaml lists {topic.count} messages on {topic.name}, but the '
            "files contain none; try 'ros2 bag reindex'"
        )
    return bag.message(first)


def _list(topics: Collection[Topic]) -> str:
    return ', '.join(map(str, topics))


def _or(types: Collection[str]) -> str:
    return ' or '.join(types)
