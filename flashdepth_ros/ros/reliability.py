"""The reliability of the image subscription: reliable if all its publishers are."""

from __future__ import annotations

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy

from flashdepth_ros.errors import ConfigError

AUTOMATIC = 'automatic'
_POLICIES = {
    'reliable': ReliabilityPolicy.RELIABLE,
    'best_effort': ReliabilityPolicy.BEST_EFFORT,
}


def reliability_parameter(topic: str) -> str:
    """Return the name of the parameter for the subscription to a resolved topic."""
    return f'qos_overrides.{topic}.subscription.reliability'


class Reliability:
    """
    The standard parameter `qos_overrides./topic.subscription.reliability`, with one more value.

    The default 'automatic' is reliable if all publishers of the topic are reliable, because best
    effort loses about half of the images that do not fit into the sender's shared memory. Else it
    is best effort, which is compatible with every publisher.
    """

    def __init__(self, node: Node, topic: str) -> None:
        self._node, self._topic = node, topic
        name = reliability_parameter(topic)
        if not node.has_parameter(name):
            text = f'reliability of the image subscription: {AUTOMATIC}, {" or ".join(_POLICIES)}'
            node.declare_parameter(
                name, AUTOMATIC, ParameterDescriptor(description=text, read_only=True)
            )
        value = node.get_parameter(name).value
        if value not in (AUTOMATIC, *_POLICIES):
            expected = ', '.join((AUTOMATIC, *_POLICIES))
            raise ConfigError(f'{name} {value!r} is not allowed; expected one of {expected}')
        self._fixed = _POLICIES.get(value)

    @property
    def is_automatic(self) -> bool:
        """Whether the policy depends on the publishers."""
        return self._fixed is None

    def policy(self) -> ReliabilityPolicy:
        """Return the policy for the publishers that are in the graph now."""
        if self._fixed is not None:
            return self._fixed
        publishers = self._node.get_publishers_info_by_topic(self._topic)
        policies = {each.qos_profile.reliability for each in publishers}
        if policies == {ReliabilityPolicy.RELIABLE}:
            return ReliabilityPolicy.RELIABLE
        return ReliabilityPolicy.BEST_EFFORT
