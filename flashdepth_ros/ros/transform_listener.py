"""
Transforms from `/tf` and `/tf_static`, without tf2.

rclpy turns every transform of a busy `/tf` into Python objects; here the bytes are read instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from importlib import import_module
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

from flashdepth_ros.camera.transform_buffer import TransformBuffer
from flashdepth_ros.errors import InputError
from flashdepth_ros.ros import cdr
from flashdepth_ros.ros.stamps import to_nanoseconds
from flashdepth_ros.ros.wiring import Input, create_input

_DYNAMIC, _STATIC = '/tf', '/tf_static'
_QUEUE = 100


class TransformListener:
    """
    Keeps the transforms of `/tf` and `/tf_static` in a buffer.

    :param raw: whether the middleware serialises as plain CDR.
    """

    def __init__(self, node: Node, raw: bool = True) -> None:
        self.buffer = TransformBuffer()
        self.problem = ''
        """Why there are no transforms; '' if it is not known."""
        self._node, self._raw = node, raw
        self._subscriptions: list[Subscription] = []
        try:
            message_type = import_module('tf2_msgs.msg').TFMessage
        except ImportError:
            self.problem = (
                'no transforms, because the package tf2_msgs is not installed: install '
                'ros-DISTRO-tf2-msgs'
            )
            return
        durabilities = {
            _DYNAMIC: DurabilityPolicy.VOLATILE,
            _STATIC: DurabilityPolicy.TRANSIENT_LOCAL,
        }
        for topic, durability in durabilities.items():
            what = Input(message_type, topic, _qos(durability), raw=raw)
            callback = partial(self._receive, topic == _STATIC)
            self._subscriptions.append(create_input(node, what, callback))

    def close(self) -> None:
        """Remove the subscriptions."""
        for each in self._subscriptions:
            self._node.destroy_subscription(each)
        self._subscriptions.clear()

    def _receive(self, always: bool, message: Any) -> None:
        try:
            transforms = cdr.read_transforms(message) if self._raw else list(_fields(message))
        except InputError as error:
            self.problem = f'invalid transforms: {error}'
            return
        for each in transforms:
            self.buffer.add(each.frame_id, each.child_frame_id, each.stamp_ns, each.pose, always)


def _fields(message: Any) -> Iterable[cdr.Transform]:
    for each in message.transforms:
        stamp, moved, turned = (
            each.header.stamp,
            each.transform.translation,
            each.transform.rotation,
        )
        yield cdr.Transform(
            to_nanoseconds(stamp.sec, stamp.nanosec),
            each.header.frame_id,
            each.child_frame_id,
            (moved.x, moved.y, moved.z, turned.x, turned.y, turned.z, turned.w),
        )


def _qos(durability: DurabilityPolicy) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=_QUEUE,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=durability,
    )
