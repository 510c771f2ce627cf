"""Find a topic in a recording by name, or by type if only one topic matches."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import islice
from os.path import commonpath
from typing import Any, TypeVar

from flashdepth_ros.bags.reader import BagReader, Topic
from flashdepth_ros.errors import BagError, InputError

RAW_IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
DEPTH_ENCODINGS = ('16UC1', '32FC1')
"""The encodings of depth images in REP 118."""
PREDICTED = 'depth'
"""Key in the metadata of a bag: the topic of depth images that `flashdepth infer` wrote."""
INVERSE = 'depth/inverse'
"""Name, in the namespace of the outputs, of the topic of inverse depth without a unit."""
PREVIEW = 'depth/image_color'
"""Name, in the namespace of the outputs, of the topic of the colour preview."""
_BROKEN_MAX = 100
"""Number of broken messages at the start of a topic after which it counts as broken."""

Value = TypeVar('Value')


def find_topic(
    bag: BagReader,
    types: Collection[str],
    name: str = '',
    matches: Callable[[Any], bool] = lambda _: True,
    is_other: Callable[[str], bool] = lambda _: False,
    option: str = '',
) -> Topic:
    """
    Return the topic of this name, or without a name the only matching topic of these types.

    A topic below another one that matches, such as image_raw/compressed, is a copy of that.

    :param matches: return whether the first valid message of a topic has the wanted content.
    :param is_other: return whether the topic of a name matches only if that name is given.
    :param option: what selects a topic by name on the command line.
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
    expected = [topic for topic in candidates if not is_other(topic.name)]
    matching = [topic for topic in expected if first_valid(bag, topic, matches)]
    # A compressed copy has the name of its original and a suffix.
    originals = tuple(f'{topic.name}/' for topic in matching)
    matching = [topic for topic in matching if not topic.name.startswith(originals)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        how = f'select one by name ({option})' if option else 'select one by name'
        raise BagError(f'{bag.path}: {len(matching)} topics match, {how}: {_list(matching)}')
    raise BagError(
        f'{bag.path}: no matching topic of type {_or(types)} with messages; the bag has '
        f'{_list(bag.topics) or "no topics"}'
    )


def find_image_topic(bag: BagReader, name: str = '') -> Topic:
    """
    Return the topic of images, raw or compressed, without depth; see `find_topic`.

    Without a name, it is not the preview that `flashdepth infer` has written to the bag.
    """
    types = (RAW_IMAGE, COMPRESSED_IMAGE)
    namespace, depth, _ = bag.custom_data.get(PREDICTED, '').rpartition('depth/')
    preview = f'{namespace}{PREVIEW}' if depth else ''
    return find_topic(
        bag, types, name, lambda m: not is_depth(m), lambda topic: topic == preview, '--topic'
    )


def find_depth_topic(bag: BagReader, name: str = '') -> Topic:
    """
    Return the topic of measured or true depth images, raw or compressed; see `find_topic`.

    Without a name, it is not the depth that `flashdepth infer` has written to the bag.
    """
    predicted = bag.custom_data.get(PREDICTED, '')
    types = (RAW_IMAGE, COMPRESSED_IMAGE)

    def is_other(topic: str) -> bool:
        return topic == predicted or _is_confidence(topic)

    return find_topic(bag, types, name, is_depth, is_other, '--depth-topic')


def find_predicted_topic(bag: BagReader, name: str = '') -> Topic:
    """Return the topic of depth images that `flashdepth infer` wrote; see `find_topic`."""
    name = name or bag.custom_data.get(PREDICTED, '')
    types = (RAW_IMAGE, COMPRESSED_IMAGE)
    option = '--predictions BAG,topic=NAME'
    return find_topic(bag, types, name, is_depth, _is_confidence, option)


def find_camera_info_topic(bag: BagReader, image: Topic, name: str = '') -> Topic | None:
    """
    Return the topic of this name, or without a name the one that belongs to the image topic.

    Of several, those with the frame_id of the image come first, then the one with the closest
    name. Return None if no name is given and the bag has no camera_info.

    :raises BagError: the named topic does not exist, has another type, or has no messages.
    """
    if name:
        return find_topic(bag, (CAMERA_INFO,), name)
    found = [topic for topic in bag.topics if topic.type == CAMERA_INFO and topic.count]
    if len(found) > 1:
        frame = _first_frame_id(bag, image)
        same_frame = [each for each in found if frame and _first_frame_id(bag, each) == frame]
        found = same_frame or found
    return max(found, key=lambda topic: len(_shared_namespace(topic, image)), default=None)


def _shared_namespace(first: Topic, second: Topic) -> str:
    # Recordings of ROS 1 may lack the leading slash.
    return commonpath([f'/{topic.name.lstrip("/")}' for topic in (first, second)])


def is_depth(message: Any) -> bool:
    """Return whether an Image or CompressedImage contains depth instead of intensity or colour."""
    encoding = message.encoding if hasattr(message, 'encoding') else message.format
    return encoding.startswith(DEPTH_ENCODINGS) or 'compressedDepth' in encoding


def _is_confidence(topic: str) -> bool:
    """Return whether a topic has the confidence of depth, by its name: its encoding is depth's."""
    return 'confidence' in topic.lower()


def _first_frame_id(bag: BagReader, topic: Topic) -> str:
    """Return the frame_id of the first message that can be decoded; '' if there is none."""
    try:
        return first_valid(bag, topic, lambda message: str(message.header.frame_id).lstrip('/'))
    except BagError:
        return ''


def first_valid(bag: BagReader, topic: Topic, read: Callable[[Any], Value]) -> Value:
    """
    Return what `read` returns for the first message that can be decoded and that it accepts.

    :param read: raises InputError for an invalid message.
    :raises BagError: there is no such message among the first ones.
    """
    problem = (
        f'{bag.path}: metadata.yaml lists {topic.count} messages on {topic.name}, but the files '
        "contain none; try 'ros2 bag reindex'"
    )
    errors = []
    for record in islice(bag.records(topic.name), _BROKEN_MAX):
        try:
            return read(bag.message(record))
        except (BagError, InputError) as error:
            errors.append(str(error))
    raise BagError(errors[0] if errors else problem)


def _list(topics: Collection[Topic]) -> str:
    return ', '.join(map(str, topics))


def _or(types: Collection[str]) -> str:
    return ' or '.join(types)
