"""Find the topic that is meant, where a recording leaves only one to choose."""

from __future__ import annotations

from collections.abc import Callable, Collection
from os.path import commonpath
from typing import Any

from flashdepth_ros.bags.reader import BagReader, Topic
from flashdepth_ros.errors import BagError

RAW_IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
#: REP 118.
DEPTH_ENCODINGS = ('16UC1', '32FC1')


def find_topic(
    bag: BagReader,
    types: Collection[str],
    name: str = '',
    fits: Callable[[Any], bool] = lambda _: True,
) -> Topic:
    """
    Return the topic of this name, or without a name the only one of these types.

    :param fits: whether a topic's first message is of the kind that is looked for.
    :raises BagError: for none, several, or a named topic of another type or without messages; it
        lists what there is to choose from.
    """
    candidates = [topic for topic in bag.topics if topic.type in types and topic.count]
    if name:
        topic = bag.topic(name)
        if topic not in candidates:
            raise BagError(f'{bag.path}: {topic} is not of use; wanted {_or(types)} with messages')
        return topic
    fitting = [topic for topic in candidates if fits(_first_message(bag, topic))]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise BagError(
            f'{bag.path}: {len(fitting)} topics may be meant, name one: {_listed(fitting)}'
        )
    raise BagError(
        f'{bag.path}: no topic of {_or(types)} that fits; the bag has {_listed(bag.topics)}'
    )


def find_image_topic(bag: BagReader, name: str = '') -> Topic:
    """Return the topic of pictures, raw or compressed; as `find_topic`."""
    return find_topic(bag, (RAW_IMAGE, COMPRESSED_IMAGE), name, lambda m: not holds_depth(m))


def find_depth_topic(bag: BagReader, name: str = '') -> Topic:
    """Return the topic of raw depth images; as `find_topic`."""
    return find_topic(bag, (RAW_IMAGE,), name, holds_depth)


def find_camera_info_topic(bag: BagReader, image: Topic, name: str = '') -> Topic | None:
    """
    Return the topic of this name, or without a name the one likest to the images'; None: no such.

    :raises BagError: the named topic is not there, of another type, or without messages.
    """
    if name:
        return find_topic(bag, (CAMERA_INFO,), name)
    found = [topic for topic in bag.topics if topic.type == CAMERA_INFO and topic.count]
    return max(found, key=lambda topic: len(_shared_namespace(topic, image)), default=None)


def _shared_namespace(first: Topic, second: Topic) -> str:
    # Recordings of ROS 1 may lack the leading slash.
    return commonpath([f'/{topic.name.lstrip("/")}' for topic in (first, second)])


def holds_depth(message: Any) -> bool:
    """Return whether an Image or CompressedImage holds depth rather than a picture."""
    encoding = message.encoding if hasattr(message, 'encoding') else message.format
    return encoding.startswith(DEPTH_ENCODINGS) or 'compressedDepth' in encoding


def _first_message(bag: BagReader, topic: Topic) -> Any:
    first = next(bag.records(topic.name), None)
    if first is None:
        raise BagError(
            f'{bag.path}: metadata.yaml promises {topic.count} messages on {topic.name}, the '
            "files hold none; try 'ros2 bag reindex'"
        )
    return bag.message(first)


def _listed(topics: Collection[Topic]) -> str:
    return ', '.join(map(str, topics))


def _or(types: Collection[str]) -> str:
    return ' or '.join(types)
