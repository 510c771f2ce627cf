"""The publishers of the topics of a recording that can be played."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.validate_full_topic_name import validate_full_topic_name

from flashdepth_ros.bags import BagReader, Topic
from flashdepth_ros.errors import BagError, ConfigError
from flashdepth_ros.tools.message_types import message_class

CLOCK_TOPIC = '/clock'


@dataclass(frozen=True)
class Outputs:
    """
    How to publish the topics of a recording.

    :param names: the new names of topics, by the names in the recording, with leading slashes.
    :param clock: the time of the recording is published, and not a clock that was recorded.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    clock: bool = False
    best_effort: bool = False

    def name(self, recorded: str) -> str:
        """Return the name under which a topic is published."""
        name = absolute(recorded)
        return self.names.get(name, name)

    def check(self, bag: BagReader) -> None:
        """
        Check that the renamed topics exist and that ROS allows their new names.

        :raises FlashDepthError: one of them does not.
        """
        for old, new in self.names.items():
            if old != CLOCK_TOPIC:
                bag.topic(old)
            if not _is_allowed(new):
                raise ConfigError(f'remap {old}:={new}: ROS does not allow this new name')


def absolute(name: str) -> str:
    """Return a name with a leading slash, which recordings of ROS 1 may lack."""
    return f'/{name.lstrip("/")}'


def create_publishers(
    bag: BagReader, topics: Iterable[Topic], outputs: Outputs, node: Node
) -> dict[tuple[str, str], Publisher]:
    """
    Return the publishers by recorded topic and type; log what is left out, a line for each reason.

    :raises BagError: no topic can be played.
    """
    publishers: dict[tuple[str, str], Publisher] = {}
    left_out: dict[str, list[str]] = {}
    for topic in topics:
        kind = message_class(topic.type)
        known = {publisher.topic_name for publisher in publishers.values()}
        if reason := next(_obstacles(topic, kind, outputs, known), ''):
            left_out.setdefault(reason, []).append(f'{topic.name} ({topic.type})')
            continue
        qos = _qos(topic, outputs.best_effort)
        name = outputs.name(topic.name)
        publishers[topic.name, topic.type] = node.create_publisher(kind, name, qos)
    lines = [f'{reason}: {", ".join(names)}' for reason, names in left_out.items()]
    if not publishers:
        raise BagError(f'{bag.path}: no topic can be played; {"; ".join(lines)}')
    for line in lines:
        node.get_logger().warning(f'not played, {line}')
    return publishers


def _obstacles(topic: Topic, kind: Any, outputs: Outputs, known: set[str]) -> Iterator[str]:
    """Yield the reasons why a topic cannot be published, beside topics of the known names."""
    name = outputs.name(topic.name)
    if outputs.clock and absolute(topic.name) == CLOCK_TOPIC:
        yield '--clock publishes the time of the recording instead'
    if not _is_allowed(name):
        yield 'ROS does not allow these topic names (give others with --remap)'
    if kind is None:
        yield 'their message packages are not installed'
    if name in known:
        yield 'another topic or type has the same name'


def _is_allowed(name: str) -> bool:
    try:
        validate_full_topic_name(name)
    except InvalidTopicNameException:
        return False
    return True


def _qos(topic: Topic, best_effort: bool) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=10,
        reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL
        if topic.latched
        else DurabilityPolicy.VOLATILE,
    )
