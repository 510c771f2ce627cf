"""Publish a live simulated camera: `flashdepth camera`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
import time

from rclpy.node import Node

from flashdepth_ros.bags.camera import Camera, CameraFrame
from flashdepth_ros.simulation.clip import Clip
from flashdepth_ros.tools.message_types import message_class
from flashdepth_ros.tools.ros_node import ros_node
from flashdepth_ros.tools.simulated_recording import add_clip_arguments, create_clip

_QUEUE = 2


def publish(clip: Clip, camera: Camera, node: Node) -> None:
    """Render and publish the clip repeatedly at its frame rate, until interrupted."""
    publishers = {
        topic: node.create_publisher(message_class(type_name), topic, _QUEUE)
        for topic, type_name in camera.topics.items()
    }
    for frame in _live_frames(clip, node):
        for message in camera.records(frame):
            publishers[message.topic].publish(message.data)


def _live_frames(clip: Clip, node: Node) -> Iterator[CameraFrame]:
    """Yield each frame when it is due, with the node's current time as its stamp."""
    period_s = 1.0 / clip.settings.rate_hz
    due_s = time.monotonic()
    while True:
        for frame in clip.frames():
            time.sleep(max(0.0, due_s - time.monotonic()))
            # If rendering is slower than the rate, publish late, but never in bursts.
            due_s = max(due_s + period_s, time.monotonic())
            stamp_ns = node.get_clock().now().nanoseconds
            yield CameraFrame(stamp_ns, frame.rgb, frame.depth, frame.pose)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `run` reads."""
    add_clip_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Publish the camera until Ctrl-C, which ends the process with status 130."""
    clip, camera = create_clip(arguments)
    with ros_node('simulated_camera') as node:
        publish(clip, camera, node)
    return 0
