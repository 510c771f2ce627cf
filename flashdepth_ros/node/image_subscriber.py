"""The image subscription: receives images, counts them, and passes them to a consumer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
import math
import os
import time
from typing import Protocol

from rclpy.clock import Clock, ClockType
from rclpy.qos import QoSPolicyKind, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.utilities import get_rmw_implementation_identifier
from sensor_msgs.msg import CompressedImage, Image

from flashdepth_ros.errors import InputError
from flashdepth_ros.node.camera_scope import CameraScope
from flashdepth_ros.node.diagnostics import IMAGE_TIMEOUT_S
from flashdepth_ros.node.input_topics import (
    ImageTopic,
    compressed_topic,
    published_topic,
    raw_topic,
)
from flashdepth_ros.node.received_image import ReceivedImage
from flashdepth_ros.node.statistics import Statistics
from flashdepth_ros.ros.missing_messages import WantedImages, describe_missing_images
from flashdepth_ros.ros.publisher_watch import PublisherWatch
from flashdepth_ros.ros.reliability import Reliability
from flashdepth_ros.ros.transport import AnyImage, MessageInfo, Transport
from flashdepth_ros.ros.wiring import Input, image_qos, large_message_advice

_GRAPH_PERIOD_S = 0.2
_PAUSE_AFTER_S = 2.0
"""The subscription is removed after images have not been needed for this time."""
_WARN_EVERY_S = 10.0
_DISCOVERY_S = 2.0
"""The time that a new publisher gets before missing images are explained."""


class ImageConsumer(Protocol):
    """Receives the images of an `ImageSubscriber`."""

    def needs_images(self) -> bool:
        """Return whether an image that arrives now would be processed."""

    def put(self, received: ReceivedImage) -> None:
        """Take an image without waiting."""

    def reject(self, error: InputError) -> None:
        """Count an image that cannot be read."""

    def publisher_restarted(self) -> None:
        """Start a new sequence, because the publisher is a new one."""


class ImageSubscriber:
    """
    Subscribes to the image topic and follows one publisher at a time.

    The subscription is removed while images are not needed: receiving large images is expensive
    even if they are dropped.
    """

    def __init__(self, scope: CameraScope, transport: Transport, statistics: Statistics) -> None:
        self._scope, self._node, self._logger = scope, scope.node, scope.logger
        self._transport, self._statistics = transport, statistics
        self._watch = PublisherWatch()
        self._image_topic = ImageTopic('', compressed=False)
        self._publishers, self._changed_s = 0, -math.inf
        self._reliability: Reliability | None = None
        # Two while the policy changes: the old one stays until the new one receives an image.
        self._subscriptions: dict[ReliabilityPolicy, Subscription] = {}
        self._policy = ReliabilityPolicy.BEST_EFFORT
        self._policy_receives = False
        self._last_message: tuple[int | None, int | None] = (None, None)
        self._automatic = False
        self._consumer: ImageConsumer | None = None
        self._unwanted_since_s: float | None = None
        self._arrived = False  # on this topic
        self._restarted = False  # since the last image that was passed on
        self._warned_missing = self._warned_transport = False
        # Not the node's clock: simulated time may stand still, and Ctrl-C is only handled when a
        # timer wakes the executor.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        scope.node.create_timer(_GRAPH_PERIOD_S, self._check_graph, clock=steady)

    @property
    def topic(self) -> str:
        """The resolved name of the image topic; '' before `open`."""
        return self._image_topic.name

    def open(self, transport: str) -> None:
        """Subscribe by a value of `image_transport`; replace a subscription to another topic."""
        self._automatic = transport == 'auto'
        topic = published_topic(self._scope) if self._automatic else None
        choose = compressed_topic if transport == 'compressed' else raw_topic
        self._open(topic or choose(self._scope))

    def _open(self, topic: ImageTopic) -> None:
        if topic == self._image_topic:
            return
        self._unsubscribe()
        self._restarted = self._arrived
        self._reliability = Reliability(self._node, topic.name)
        self._image_topic = topic
        self._arrived = False
        self._resume()

    def set_consumer(self, consumer: ImageConsumer | None) -> None:
        """Pass images to `consumer` from now on; None: drop them without counting."""
        self._consumer = consumer
        self._warned_missing = False
        self._statistics.restart_image_timer()

    def _follow_publishers(self) -> None:
        """Subscribe to what is published now, unless images come from a publisher that exists."""
        if self._arrived and self._image_topic.is_published(self._scope):
            return
        if (topic := published_topic(self._scope)) is not None:
            self._open(topic)

    def _resume(self) -> None:
        # A new watch: messages sent during the pause were not lost in transport.
        self._watch, self._unwanted_since_s = PublisherWatch(), None
        assert self._reliability is not None
        self._subscribe(self._reliability.policy())

    def _subscribe(self, policy: ReliabilityPolicy) -> None:
        """Make `policy` the current one and subscribe with it, if not subscribed yet."""
        self._policy = policy
        if policy in self._subscriptions:
            return
        assert self._reliability is not None
        automatic = self._reliability.is_automatic
        what = Input(
            CompressedImage if self._image_topic.compressed else Image,
            self.topic,
            image_qos(policy),
            set_by_caller=frozenset({QoSPolicyKind.RELIABILITY} if automatic else ()),
        )
        self._subscriptions[policy] = self._transport.subscribe(
            self._node, what, partial(self._receive, policy), partial(self._reject, policy)
        )

    def _update_reliability(self) -> None:
        """
        Add a subscription with another policy if the publishers have changed.

        The old one stays until the new one receives an image: discovery can take seconds.
        """
        if not self._subscriptions:
            return
        assert self._reliability is not None
        policy = self._reliability.policy()
        if policy != self._policy:
            self._policy_receives = False
            self._subscribe(policy)
        if self._policy_receives:
            self._unsubscribe(keep=self._policy)

    def _unsubscribe(self, keep: ReliabilityPolicy | None = None) -> None:
        for policy in self._subscriptions.keys() - {keep}:
            self._node.destroy_subscription(self._subscriptions.pop(policy))

    def _receive(self, policy: ReliabilityPolicy, image: AnyImage, info: MessageInfo) -> None:
        self._handle(policy, info, lambda consumer: consumer.put(_received(image, info)))
        if not self._warned_transport:
            self._warn_transport(len(image.data))

    def _reject(self, policy: ReliabilityPolicy, error: InputError, info: MessageInfo) -> None:
        self._handle(policy, info, lambda consumer: consumer.reject(error))

    def _handle(
        self,
        policy: ReliabilityPolicy,
        info: MessageInfo,
        pass_on: Callable[[ImageConsumer], None],
    ) -> None:
        """Count a message; pass it on if it is the followed publisher's and images are needed."""
        self._policy_receives = self._policy_receives or policy == self._policy
        message = info.source_timestamp_ns, info.publication_sequence
        if len(self._subscriptions) > 1 and message == self._last_message:
            return
        self._last_message = message
        self._publishers = self._node.count_publishers(self.topic)
        arrival = self._watch.check_message(
            info.publication_sequence, info.publisher_gid, self._publishers, time.monotonic()
        )
        consumer = self._consumer
        if consumer is None or not consumer.needs_images():
            self._unwanted_since_s = self._unwanted_since_s or time.monotonic()
        else:
            self._unwanted_since_s = None
        self._restarted = self._restarted or arrival.restarted
        if consumer is None:
            return
        if not arrival.followed:
            self._statistics.count_drop('foreign')
            self._logger.warning(
                f'{self.topic} has {self._publishers} publishers: following the first, ignoring '
                'the others; remap one of them',
                throttle_duration_sec=_WARN_EVERY_S,
            )
            return
        if self._restarted:
            self._restarted = False
            consumer.publisher_restarted()
        # Images that stop after they came steadily are reported again.
        steady = self._statistics.since_image_s() < IMAGE_TIMEOUT_S
        self._warned_missing = self._warned_missing and not steady
        self._arrived = True
        self._statistics.count_arrival(arrival.lost)
        if self._unwanted_since_s is None:
            pass_on(consumer)
        else:
            self._statistics.count_drop('unwanted')

    def _check_graph(self) -> None:
        if not self.topic:
            return
        if self._automatic:
            self._follow_publishers()
        self._pause_or_resume()
        self._update_reliability()
        publishers = self._node.count_publishers(self.topic)
        if publishers != self._publishers:
            self._publishers, self._changed_s = publishers, time.monotonic()
        self._watch.check_count(publishers)
        self._warn_missing()

    def _warn_missing(self) -> None:
        """Warn, once, if images are needed but do not arrive."""
        discovered = time.monotonic() - self._changed_s > _DISCOVERY_S
        missing = self._statistics.since_image_s() > IMAGE_TIMEOUT_S
        if self._consumer is None or self._warned_missing or not (missing and discovered):
            return
        self._warned_missing = True
        wanted = WantedImages(
            self.topic, self._image_topic.compressed, self._arrived, camera=self._scope.camera
        )
        advice = describe_missing_images(self._node, wanted, IMAGE_TIMEOUT_S)
        self._logger.warning(advice)

    def _pause_or_resume(self) -> None:
        since_s = self._unwanted_since_s
        if not self._subscriptions:
            self._statistics.restart_image_timer()
            if self._consumer is not None and self._consumer.needs_images():
                self._resume()
        elif since_s is not None and time.monotonic() - since_s > _PAUSE_AFTER_S:
            self._unsubscribe()

    def _warn_transport(self, size_bytes: int) -> None:
        rmw = get_rmw_implementation_identifier()
        advice = large_message_advice(size_bytes, os.environ, rmw)
        if advice is not None:
            self._warned_transport = True
            self._logger.warning(advice)


def _received(image: AnyImage, info: MessageInfo) -> ReceivedImage:
    transport_ms = 0.0
    if info.source_timestamp_ns is not None and info.received_timestamp_ns is not None:
        transport_ms = (info.received_timestamp_ns - info.source_timestamp_ns) * 1e-6
    return ReceivedImage(image, transport_ms, time.perf_counter())
