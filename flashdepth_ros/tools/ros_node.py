"""A ROS node that lasts as long as a block of code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from flashdepth_ros.ros.environment import log_environment


@contextmanager
def ros_node(name: str) -> Iterator[Node]:
    """Start ROS and yield a node; at the end of the block, also by an error, shut both down."""
    os.environ.update(log_environment(os.environ))
    # Without rclpy's signal handler, the context stays valid until the node is destroyed.
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = Node(name)
    try:
        yield node
    finally:
        node.destroy_node()
        rclpy.shutdown()
