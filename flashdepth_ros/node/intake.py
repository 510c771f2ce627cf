"""The image subscription: judges what arrives, counts it, and hands on what is wanted."""

from __future__ import annotations

from collections.abc import Callable
import os
import time
from typing import Protocol

from rclpy.node import Node
from rclpy.subscription import Subscription
from rclpy.utilities import get_rmw_implementation_identifier
from sensor_msgs.msg import CompressedImage, Image

from flashdepth_ros.errors import InputError
from flashdepth_ros.node.diagnostics import SILENCE_S
from flashdepth_ros.node.publisher_watch import PublisherWatch
from flashdepth_ros.node.statistics import Statistics
from flashdepth_ros.node.transport import AnyImage, MessageInfo, Transport
from flashdepth_ros.node.wiring import describe_missing_images, large_message_advice
from flashdepth_ros.node.worker import Received

_GRAPH_PERIOD_S = 0.2
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
    """Subscribes to the images of one publisher at a time."""

    def __init__(self, node: Node, transport: Transport, statistics: Statistics) -> None:
        self._node, self._logger = node, node.get_logger()
        self._transport, self._statistics = transport, statistics
        self._watch = PublisherWatch()
        self._publishers = 0
        self._subscription: Subscription | None = None
        self._compressed = False
        self._taker: Taker | None = None
        self._told_missing = self._told_large = False
        node.create_timer(_GRAPH_PERIOD_S, self._look_at_graph)

    @property
    def topic(self) -> str:
        """The resolved name of the image topic."""
        base = self._node.resolve_topic_name('image')
        return _compressed_topic(self._node, base) if self._compressed else base

    def open(self, compressed: bool) -> None:
        """Subscribe, once; another transport than before replaces the subscription."""
        if self._subscription is not None:
            if compressed == self._compressed:
                return
            self._node.destroy_subscription(self._subscription)
        self._compressed = compressed
        self._watch = PublisherWatch()
        self._subscription = self._transport.subscribe(
            self._node,
            CompressedImage if compressed else Image,
            self.topic,
            self._receive,
            self._reject,
        )

    def serve(self, taker: Taker | None) -> None:
        """Hand images to `taker` from now on; None: to nobody, and nothing is counted."""
        self._taker = taker
        self._told_missing = False
        self._statistics.watch_anew()

    def _receive(self, image: AnyImage, info: MessageInfo) -> None:
        self._admit(info, lambda taker: taker.put(_received(image, info)))
        if not self._told_large:
            self._advise_on_transport(len(image.data))

    def _reject(self, error: InputError, info: MessageInfo) -> None:
        self._admit(info, lambda taker: taker.reject(error))

    def _admit(self, info: MessageInfo, hand_on: Callable[[Taker], None]) -> None:
        """Judge by publisher, count, and hand on where there is somebody who wants it."""
        arrival = self._watch.see_message(
            info.publication_sequence, info.publisher_gid, self._publishers, time.monotonic()
        )
        taker = self._taker
        if taker is None:
            return
        if not arrival.followed:
            self._statistics.drop('foreign')
            self._logger.warning(
                f'{self.topic} has {self._publishers} publishers: following the first, ignoring '
                'the others; remap one of them',
                throttle_duration_sec=_WARN_EVERY_S,
            )
            return
        if arrival.restarted:
            taker.restart()
        self._statistics.arrive(arrival.lost)
        if taker.wants():
            hand_on(taker)
        else:
            self._statistics.drop('unwanted')

    def _look_at_graph(self) -> None:
        if self._subscription is None:
            return
        self._publishers = self._node.count_publishers(self.topic)
        self._watch.see_count(self._publishers)
        silence_s = self._statistics.silence_s()
        if self._taker is not None and silence_s > SILENCE_S and not self._told_missing:
            self._told_missing = True
            self._logger.warning(describe_missing_images(self._node, self.topic, SILENCE_S))

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
