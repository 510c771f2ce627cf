"""A live camera in a simulated world: `flashdepth camera`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib import import_module
import time

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from flashdepth_ros.bags.camera import Camera, CameraFrame
from flashdepth_ros.simulation.clip import Clip
from flashdepth_ros.tools.simulated_recording import add_clip_arguments, plan

_QUEUE = 2


def publish(clip: Clip, camera: Camera, node: Node) -> None:
    """Film the clip over and over into the graph, in its own time, until interrupted."""
    publishers = {
        topic: node.create_publisher(_message_class(type_name), topic, _QUEUE)
        for topic, type_name in camera.topics.items()
    }
    for frame in _live(clip, node):
        for message in camera.records(frame):
            publishers[message.topic].publish(message.data)


def _live(clip: Clip, node: Node) -> Iterator[CameraFrame]:
    """Yield frames when they are due, stamped with the node's time."""
    period_s = 1.0 / clip.settings.rate_hz
    due_s = time.monotonic()
    while True:
        for frame in clip.frames():
            time.sleep(max(0.0, due_s - time.monotonic()))
            # A machine too slow for the rate films late, but never in bursts.
            due_s = max(due_s + period_s, time.monotonic())
            stamp_ns = node.get_clock().now().nanoseconds
            yield CameraFrame(stamp_ns, frame.rgb, frame.depth, frame.pose)


def _message_class(type_name: str) -> type:
    module, _, name = type_name.replace('/', '.').rpartition('.')
    message_class: type = getattr(import_module(module), name)
    return message_class


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    add_clip_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Publish as the command line says until Ctrl-C, and return 0."""
    clip, camera = plan(arguments)
    # Python's own Ctrl-C leaves the context whole, so that the publishers can be taken down.
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = Node('simulated_camera')
    try:
        publish(clip, camera, node)
    except KeyboardInterrupt:
        pass
    finally:
        node.destroy_node()
        rclpy.shutdown()
    return 0
