"""The image subscription: judges what arrives, counts it, and hands on what is wanted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
import os
import time
from typing import Protocol

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSPolicyKind, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.utilities import get_rmw_implementation_identifier
from sensor_msgs.msg import CompressedImage, Image

from flashdepth_ros.errors import InputError
from flashdepth_ros.node.diagnostics import SILENCE_S
from flashdepth_ros.node.statistics import Statistics
from flashdepth_ros.node.worker import Received
from flashdepth_ros.ros.publisher_watch import PublisherWatch
from flashdepth_ros.ros.reliability import Reliability
from flashdepth_ros.ros.transport import AnyImage, MessageInfo, Transport
from flashdepth_ros.ros.wiring import (
    Input,
    describe_missing_images,
    image_qos,
    large_message_advice,
)

_GRAPH_PERIOD_S = 0.2
_REST_AFTER_S = 2.0
"""Images that nobody has wanted for this long are no longer subscribed to."""
_WARN_EVERY_S = 10.0


class Taker(Protocol):
    """Who takes the images."""

    def wants(self) -> bool:
        """Tell whether an image that arrives now is of use."""

    def put(self, received: Received) -> None:
        """Take an image; return at once."""

    def reject(self, error: InputError) -> None:
        """Count an image that cannot be read."""

    def restart(self) -> None:
        """Let a new sequence start: the publisher is a new one."""


class Intake:
    """
    Subscribes to the images of one publisher at a time.

    While images arrive that nobody wants, it rests: to receive large images costs much, even to
    throw them away.
    """

    def __init__(self, node: Node, transport: Transport, statistics: Statistics) -> None:
        self._node, self._logger = node, node.get_logger()
        self._transport, self._statistics = transport, statistics
        self._watch = PublisherWatch()
        self._topic = ''
        self._publishers = 0
        self._reliability: Reliability | None = None
        # Two while publishers have changed, until the one of the policy that suits them is heard.
        self._subscriptions: dict[ReliabilityPolicy, Subscription] = {}
        self._policy = ReliabilityPolicy.BEST_EFFORT
        self._heard = False
        self._last_seen: tuple[int | None, int | None] = (None, None)
        self._compressed = False
        self._taker: Taker | None = None
        self._unwanted_since_s: float | None = None
        self._told_missing = self._told_large = False
        # Not the node's clock: simulated time may stand still, and the wait for Ctrl-C with it.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(_GRAPH_PERIOD_S, self._look_at_graph, clock=steady)

    @property
    def topic(self) -> str:
        """The resolved name of the image topic; '' until it is open."""
        return self._topic

    def open(self, compressed: bool) -> None:
        """Subscribe, once; another transport than before replaces the subscription."""
        if self._topic and compressed == self._compressed:
            return
        self._unsubscribe()
        self._compressed = compressed
        base = self._node.resolve_topic_name('image')
        self._topic = _compressed_topic(self._node, base) if compressed else base
        self._reliability = Reliability(self._node, self._topic)
        self._listen()

    def serve(self, taker: Taker | None) -> None:
        """Hand images to `taker` from now on; None: to nobody, and nothing is counted."""
        self._taker = taker
        self._told_missing = False
        self._statistics.watch_anew()

    def _listen(self) -> None:
        # What passed meanwhile was not lost in transport.
        self._watch, self._unwanted_since_s = PublisherWatch(), None
        assert self._reliability is not None
        self._subscribe(self._reliability.now())

    def _subscribe(self, policy: ReliabilityPolicy) -> None:
        """Let images come in under a policy, from now on or still."""
        self._policy = policy
        if policy in self._subscriptions:
            return
        assert self._reliability is not None
        automatic = self._reliability.is_automatic
        what = Input(
            CompressedImage if self._compressed else Image,
            self._topic,
            image_qos(policy),
            settled=frozenset({QoSPolicyKind.RELIABILITY} if automatic else ()),
        )
        self._subscriptions[policy] = self._transport.subscribe(
            self._node, what, partial(self._receive, policy), partial(self._reject, policy)
        )

    def _follow_reliability(self) -> None:
        """
        Subscribe anew where the publishers have changed, beside the old subscription.

        That one stays until the new one is heard: discovery can take seconds to connect it.
        """
        if not self._subscriptions:
            return
        assert self._reliability is not None
        policy = self._reliability.now()
        if policy != self._policy:
            self._heard = False
            self._subscribe(policy)
        if self._heard:
            self._unsubscribe(but=self._policy)

    def _unsubscribe(self, but: ReliabilityPolicy | None = None) -> None:
        for policy in self._subscriptions.keys() - {but}:
            self._node.destroy_subscription(self._subscriptions.pop(policy))

    def _receive(self, policy: ReliabilityPolicy, image: AnyImage, info: MessageInfo) -> None:
        self._admit(policy, info, lambda taker: taker.put(_received(image, info)))
        if not self._told_large:
            self._advise_on_transport(len(image.data))

    def _reject(self, policy: ReliabilityPolicy, error: InputError, info: MessageInfo) -> None:
        self._admit(policy, info, lambda taker: taker.reject(error))

    def _admit(
        self, policy: ReliabilityPolicy, info: MessageInfo, hand_on: Callable[[Taker], None]
    ) -> None:
        """Judge by publisher, count, and hand on where there is somebody who wants it."""
        self._heard = self._heard or policy == self._policy
        seen = info.source_timestamp_ns, info.publication_sequence
        if len(self._subscriptions) > 1 and seen == self._last_seen:
            return
        self._last_seen = seen
        self._publishers = self._node.count_publishers(self._topic)
        arrival = self._watch.see_message(
            info.publication_sequence, info.publisher_gid, self._publishers, time.monotonic()
        )
        taker = self._taker
        if taker is None or not taker.wants():
            self._unwanted_since_s = self._unwanted_since_s or time.monotonic()
        else:
            self._unwanted_since_s = None
        if taker is None:
            return
        if not arrival.followed:
            self._statistics.drop('foreign')
            self._logger.warning(
                f'{self._topic} has {self._publishers} publishers: following the first, ignoring '
                'the others; remap one of them',
                throttle_duration_sec=_WARN_EVERY_S,
            )
            return
        if arrival.restarted:
            taker.restart()
        self._statistics.arrive(arrival.lost)
        if self._unwanted_since_s is None:
            hand_on(taker)
        else:
            self._statistics.drop('unwanted')

    def _look_at_graph(self) -> None:
        if not self._topic:
            return
        self._rest_or_listen()
        self._follow_reliability()
        self._publishers = self._node.count_publishers(self._topic)
        self._watch.see_count(self._publishers)
        silence_s = self._statistics.silence_s()
        if self._taker is not None and silence_s > SILENCE_S and not self._told_missing:
            self._told_missing = True
            name = 'image/compressed' if self._compressed else 'image'
            advice = describe_missing_images(self._node, name, self._topic, SILENCE_S)
            self._logger.warning(advice)

    def _rest_or_listen(self) -> None:
        since_s = self._unwanted_since_s
        if not self._subscriptions:
            self._statistics.watch_anew()
            if self._taker is not None and self._taker.wants():
                self._listen()
        elif since_s is not None and time.monotonic() - since_s > _REST_AFTER_S:
            self._unsubscribe()

    def _advise_on_transport(self, size_bytes: int) -> None:
        rmw = get_rmw_implementation_identifier()
        advice = large_message_advice(size_bytes, os.environ, rmw)
        if advice is not None:
            self._told_large = True
            self._logger.warning(advice)


def _received(image: AnyImage, info: MessageInfo) -> Received:
    transport_ms = 0.0
    if info.source_timestamp_ns is not None and info.received_timestamp_ns is not None:
        transport_ms = (info.received_timestamp_ns - info.source_timestamp_ns) * 1e-6
    return Received(image, transport_ms, time.perf_counter())


def _compressed_topic(node: Node, base: str) -> str:
    """Return where compressed images come from: beside `image`, unless remapped by itself."""
    resolved = node.resolve_topic_name('image/compressed')
    unmapped = f'{node.get_namespace().rstrip("/")}/image/compressed'
    return f'{base}/compressed' if resolved == unmapped else resolved
