"""Creates subscriptions and publishers with their QoS; explains why topics do not connect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from flashdepth_ros.ros.environment import PROFILES, profile_variables, shipped_profile

LARGE_MESSAGE_BYTES = 256 * 1024

_OVERRIDABLE = (
    QoSPolicyKind.HISTORY,
    QoSPolicyKind.DEPTH,
    QoSPolicyKind.RELIABILITY,
    QoSPolicyKind.DURABILITY,
)
# For these policies, publisher and subscription are incompatible in one case only: the publisher
# offers the weaker value and the subscription requests the stronger one.
_WEAK_AND_STRONG = {
    QoSPolicyKind.RELIABILITY: (ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE),
    QoSPolicyKind.DURABILITY: (DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL),
}


def image_qos(reliability: ReliabilityPolicy) -> QoSProfile:
    """Return keep last 1, so that old images are never queued."""
    return _keep_last(1, reliability)


def info_qos() -> QoSProfile:
    """Return best effort, keep last 5, for small messages that only update a cached value."""
    return _keep_last(5, ReliabilityPolicy.BEST_EFFORT)


def output_qos() -> QoSProfile:
    """Return reliable, keep last 2: compatible with every reliability, and with RViz's default."""
    return _keep_last(2, ReliabilityPolicy.RELIABLE)


@dataclass(frozen=True)
class Input:
    """The topic, type and QoS of a subscription."""

    message_type: type
    topic: str
    qos: QoSProfile
    raw: bool = False
    """Whether the callback gets the serialised bytes."""
    set_by_caller: frozenset[QoSPolicyKind] = frozenset()
    """Policies that the caller chooses: no override parameter and no warning for them."""


def latched_input(message_type: type, topic: str) -> Input:
    """Return the input that gets the last message of publishers that keep it for late joiners."""
    qos = _keep_last(1, ReliabilityPolicy.RELIABLE)
    qos.durability = DurabilityPolicy.TRANSIENT_LOCAL
    return Input(message_type, topic, qos, set_by_caller=frozenset(_OVERRIDABLE))


def create_input(node: Node, what: Input, callback: Callable[..., None]) -> Subscription:
    """Subscribe with ``qos_overrides`` parameters; warn of publishers with incompatible QoS."""
    warning = _IncompatibleQos(node, what.topic, 'subscription', what.set_by_caller)
    return node.create_subscription(
        what.message_type,
        what.topic,
        callback,
        what.qos,
        event_callbacks=_events().SubscriptionEventCallbacks(incompatible_qos=warning),
        qos_overriding_options=QoSOverridingOptions(
            [policy for policy in _OVERRIDABLE if policy not in what.set_by_caller]
        ),
        raw=what.raw,
    )


def create_output(node: Node, message_type: type, topic: str) -> Publisher:
    """
    Return a publisher with ``qos_overrides``; warn of subscriptions with incompatible QoS.

    A lifecycle node gets a managed publisher, which publishes only while the node is active.
    """
    create = getattr(node, 'create_lifecycle_publisher', node.create_publisher)
    warning = _IncompatibleQos(node, topic, 'publisher')
    return create(
        message_type,
        topic,
        output_qos(),
        event_callbacks=_events().PublisherEventCallbacks(incompatible_qos=warning),
        qos_overriding_options=QoSOverridingOptions(_OVERRIDABLE),
    )


def large_message_advice(size_bytes: int, environ: Mapping[str, str], rmw: str) -> str | None:
    """
    Return a warning if the default Fast DDS transports lose or delay such images, else None.

    :param rmw: ``rclpy.get_rmw_implementation_identifier()``; only Fast DDS is checked.
    """
    transports = environ.get('FASTDDS_BUILTIN_TRANSPORTS', '')
    ignored = _uses_own_transports(environ)
    chosen = transports.startswith('LARGE_DATA') and not ignored
    if size_bytes <= LARGE_MESSAGE_BYTES or 'fastrtps' not in rmw:
        return None
    if chosen or any(map(environ.get, PROFILES)):
        return None
    if ignored:
        return (
            f'images of {size_bytes / 1024:.0f} KiB arrive without a Fast DDS profiles file, and '
            f'with {ignored} FASTDDS_BUILTIN_TRANSPORTS has no effect: many will be lost or late; '
            f'set {large_message_setting(environ)} for the camera driver and for this node'
        )
    remedy = 'set it for the camera driver and for this node'
    if transports == 'UDPv4':
        remedy = 'unless the two are of different users or containers, set it for both'
    return (
        f'images of {size_bytes / 1024:.0f} KiB arrive without FASTDDS_BUILTIN_TRANSPORTS='
        f'LARGE_DATA (it is {transports or "not set"!r}): many will be lost or late; {remedy} '
        '(before Jazzy: use a Fast DDS profiles file)'
    )


def large_message_setting(environ: Mapping[str, str]) -> str:
    """Return the variable with its value that makes Fast DDS carry large images."""
    if not _uses_own_transports(environ):
        return 'FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA'
    return f'{profile_variables()[-1]}={shipped_profile() or "config/fastdds.xml"}'


def _uses_own_transports(environ: Mapping[str, str]) -> str:
    """Return the setting for which ROS chooses the transports itself; '' if there is none."""
    if environ.get('ROS_LOCALHOST_ONLY') == '1':
        return 'ROS_LOCALHOST_ONLY=1'
    if environ.get('ROS_AUTOMATIC_DISCOVERY_RANGE') == 'LOCALHOST':
        return 'ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST'
    return ''


def _keep_last(depth: int, reliability: ReliabilityPolicy) -> QoSProfile:
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability)


def _events() -> Any:
    """Return the module of the event callbacks; Humble has it under an older name."""
    try:
        from rclpy import event_handler
    except ImportError:
        from rclpy import qos_event

        return qos_event
    return event_handler


class _IncompatibleQos:
    """Logs one warning for each incompatible QoS policy of a topic."""

    def __init__(
        self,
        node: Node,
        topic: str,
        endpoint: str,
        set_by_caller: frozenset[QoSPolicyKind] = frozenset(),
    ) -> None:
        self._node = node
        self._topic = node.resolve_topic_name(topic)
        self._endpoint = endpoint
        self._warned = set(set_by_caller)

    def __call__(self, event: Any) -> None:
        policy = QoSPolicyKind(event.last_policy_kind)
        if policy not in self._warned:
            self._warned.add(policy)
            self._node.get_logger().warning(self._advice(policy))

    def _advice(self, policy: QoSPolicyKind) -> str:
        name = policy.name.lower()
        if policy not in _WEAK_AND_STRONG:
            return (
                f'{self._topic}: the {name} of a {self._peer_kind()} is incompatible with this '
                f"{self._endpoint}'s, so no messages pass between them: change it there"
            )
        weak, strong = _WEAK_AND_STRONG[policy]
        ours, theirs = (strong, weak) if self._endpoint == 'subscription' else (weak, strong)
        return (
            f'{self._topic}: {self._peers(name, theirs)} has {name} {theirs.name.lower()}, this '
            f'{self._endpoint} has {ours.name.lower()}, so no messages pass between them: start '
            f"this node with the parameter 'qos_overrides.{self._topic}.{self._endpoint}.{name}' "
            f"set to '{theirs.name.lower()}', or change it there"
        )

    def _peer_kind(self) -> str:
        return 'publisher' if self._endpoint == 'subscription' else 'subscription'

    def _peers(self, policy: str, value: Any) -> str:
        """Return the peers with that policy, as far as discovery knows their names."""
        if self._endpoint == 'subscription':
            found = self._node.get_publishers_info_by_topic(self._topic)
        else:
            found = self._node.get_subscriptions_info_by_topic(self._topic)
        nodes = sorted(
            {
                f'{peer.node_namespace.rstrip("/")}/{peer.node_name}'
                for peer in found
                if getattr(peer.qos_profile, policy) == value
            }
        )
        return f'the {self._peer_kind()} of {", ".join(nodes) or "another node"}'
