"""The camera_info subscription: keeps the calibration, and reports when there is none."""

from __future__ import annotations

import time

from rclpy.clock import Clock, ClockType
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo

from flashdepth_ros.camera.calibration import CameraInfoCache
from flashdepth_ros.node.camera_scope import CameraScope
from flashdepth_ros.node.image_subscriber import ImageSubscriber
from flashdepth_ros.node.input_topics import camera_info_topic
from flashdepth_ros.ros.missing_messages import describe_missing_camera_info
from flashdepth_ros.ros.wiring import Input, create_input, info_qos, latched_input

_CHECK_PERIOD_S = 0.5
_PATIENCE_S = 3.0
"""The time from the first image after which a missing camera_info is reported."""


class CameraInfoSubscriber:
    """
    Subscribes to camera_info, and a second time while a publisher offers its last message.

    :param images: for the name of the image topic.
    """

    def __init__(self, scope: CameraScope, images: ImageSubscriber) -> None:
        self._scope, self._images = scope, images
        self._topic = ''
        self._subscription: Subscription | None = None
        self._latched: Subscription | None = None
        self._reported = False
        self._awaited_since_s: float | None = None
        """When the images got another publisher, until camera_info arrives after it."""
        self._stale = ''
        """That camera_info is of before the images got another publisher; '' if it is not."""
        self.cache = CameraInfoCache(scope.logger.warning)
        """Finds the camera of an image."""
        self._subscribe()
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        scope.node.create_timer(_CHECK_PERIOD_S, self._check, clock=steady)

    @property
    def state(self) -> str:
        """What is known about the camera of the last image, for diagnostics."""
        findings = self.cache.findings
        if findings is None:
            return 'not needed yet'
        texts = [self._stale, *(finding.text for finding in findings)]
        return '; '.join(filter(None, texts)) or 'ok'

    @property
    def warnings(self) -> tuple[str, ...]:
        """What point cloud or metres lack now; a missing camera_info only after some time."""
        waiting = 0 < self.cache.missing_s < _PATIENCE_S
        findings = () if waiting else self.cache.findings or ()
        texts = [self._stale, *(finding.text for finding in findings if finding.lost)]
        return tuple(filter(None, texts))

    def publisher_restarted(self) -> None:
        """Expect camera_info again: the images may be of another camera now."""
        self._awaited_since_s = time.monotonic()

    def _receive(self, info: CameraInfo) -> None:
        self._awaited_since_s = None
        self.cache.receive(info)

    def _check(self) -> None:
        self._subscribe()
        self._subscribe_to_latched()
        self._check_stale()
        cache = self.cache
        if cache.missing_s > _PATIENCE_S and not self._reported:
            self._reported = True
            text, advice = describe_missing_camera_info(
                self._scope.node, self._topic, self._images.topic, self._scope.camera
            )
            cache.report_missing(text, advice)
        elif self._reported and cache.camera is not None:
            self._reported = False
            factor = cache.canonical.ratio(cache.camera.pinhole)
            self._scope.logger.info(
                'camera_info has arrived; metres published before have to be multiplied by '
                f'{factor:.2f}'
            )

    def _check_stale(self) -> None:
        """Find out, and log once, whether camera_info has stopped when the camera restarted."""
        since_s = self._awaited_since_s
        awaited = since_s is not None and time.monotonic() - since_s > _PATIENCE_S
        # A publisher that keeps its last message does not repeat it.
        if not awaited or self._latched is not None or self.cache.camera is None:
            self._stale = ''
        elif not self._stale:
            self._stale = (
                f'no camera_info on {self._topic} since the images have another publisher: the '
                'last one is still used; if the camera is another one, publish its camera_info'
            )
            self._scope.logger.warning(self._stale)

    def _subscribe(self) -> None:
        """Subscribe to the topic that is the right one now, if it has changed."""
        node, topic = self._scope.node, camera_info_topic(self._scope)
        if topic == self._topic:
            return
        for subscription in (self._subscription, self._latched):
            if subscription is not None:
                node.destroy_subscription(subscription)
        self._topic, self._latched = topic, None
        self._subscription = create_input(
            node, Input(CameraInfo, topic, info_qos()), self._receive
        )

    def _subscribe_to_latched(self) -> None:
        """Subscribe to the last message that was sent before, if a publisher keeps it."""
        node = self._scope.node
        offered = any(
            each.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
            and each.qos_profile.reliability == ReliabilityPolicy.RELIABLE
            for each in node.get_publishers_info_by_topic(self._topic)
        )
        if offered and self._latched is None:
            latched = latched_input(CameraInfo, self._topic)
            self._latched = create_input(node, latched, self._receive)
        elif self._latched is not None and not offered:
            node.destroy_subscription(self._latched)
            self._latched = None
