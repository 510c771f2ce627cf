"""
A long run of the live node: memory stays, and every image that was sent is accounted for.

    PYTHONPATH=test .venv/bin/python -m reliability.soak --minutes 120

A camera sends 15 images/s. Every five minutes it ends and another one starts, with another image
size; listeners of the outputs come and go in between.
"""

import argparse
from itertools import cycle
import os
from pathlib import Path
import sys
from tempfile import TemporaryDirectory
import time

from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from flashdepth_ros.ros.environment import transport_environment
from support.node_process import NodeProcess

RATE_HZ = 15.0
SIZES = ((480, 640), (240, 320), (720, 1280))
COUNTS = ('processed', 'dropped_transport', 'dropped_stale', 'dropped_bad', 'unwanted', 'foreign')
OUTPUTS = {'depth/image': Image, 'depth/image_color': Image, 'points': PointCloud2}
SETTLE_S = 8.0
"""Some seconds after the last image the node returns the memory that it has freed."""
WARM_UP = 2 * len(SIZES)
"""After this many cameras each output was published with each size, so its buffers are there."""


class Graph:
    """A camera that is replaced, listeners that come and go, and the node's own counts."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.sent = 0
        self.counts: dict[str, str] = {}
        self._listeners: dict[str, object] = {}
        # One listener stays, so that images are always wanted.
        node.create_subscription(CameraInfo, 'depth/camera_info', lambda _: None, 5)
        node.create_subscription(DiagnosticArray, '/diagnostics', self._receive, 5)

    def _receive(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.counts = {pair.key: pair.value for pair in status.values}

    def toggle(self, topic: str) -> None:
        """Start or end the listener of an output."""
        listener = self._listeners.pop(topic, None)
        if listener is not None:
            self._node.destroy_subscription(listener)
        else:
            self._listeners[topic] = self._node.create_subscription(
                OUTPUTS[topic], topic, lambda _: None, 2
            )

    def spin(self, seconds: float) -> None:
        """Serve callbacks for this long."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            rclpy.spin_once(self._node, timeout_sec=left_s)

    def run_camera(self, size: tuple[int, int], seconds: float) -> None:
        """Publish images of one size from a new publisher; toggle listeners in between."""
        qos = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
        images = self._node.create_publisher(Image, 'image', qos)
        infos = self._node.create_publisher(CameraInfo, 'camera_info', qos)
        while not images.get_subscription_count():
            self.spin(0.1)
        self.spin(1.0)
        image, info = _messages(size)
        topics = cycle(OUTPUTS)
        end_s = toggle_s = time.monotonic() + seconds
        toggle_s -= seconds
        while time.monotonic() < end_s:
            if time.monotonic() >= toggle_s:
                self.toggle(next(topics))
                toggle_s += seconds / 5
            for message in (info, image):
                message.header.stamp = self._node.get_clock().now().to_msg()
            infos.publish(info)
            images.publish(image)
            self.sent += 1
            self.spin(1.0 / RATE_HZ)
        self.spin(SETTLE_S)
        self._node.destroy_publisher(images)
        self._node.destroy_publisher(infos)


def memory_mb(pid: int) -> tuple[float, float]:
    """
    Return the resident memory of a process of its own and that shared with others, MB.

    A middleware's segment of shared memory becomes resident page by page, up to its fixed size.
    """
    lines = Path('/proc', str(pid), 'status').read_text().splitlines()
    kib = {line.partition(':')[0]: line.split()[1] for line in lines if line.startswith('Rss')}
    return int(kib['RssAnon']) * 1024 / 1e6, int(kib['RssShmem']) * 1024 / 1e6


def _messages(size: tuple[int, int]) -> tuple[Image, CameraInfo]:
    height, width = size
    image = Image(height=height, width=width, encoding='rgb8', step=3 * width)
    image.data = np.random.default_rng(0).integers(0, 256, 3 * height * width, np.uint8).tobytes()
    k = [0.8 * width, 0.0, width / 2, 0.0, 0.8 * width, height / 2, 0.0, 0.0, 1.0]
    info = CameraInfo(height=height, width=width, k=k)
    image.header.frame_id = info.header.frame_id = 'camera'
    return image, info


def main() -> int:
    """Run; return 1 if the node's own memory grew by over 2 % or images are unaccounted for."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('--minutes', type=float, default=120.0)
    parser.add_argument('--camera-minutes', type=float, default=5.0)
    arguments = parser.parse_args()
    rclpy.init()
    runs = max(WARM_UP + 1, round(arguments.minutes / arguments.camera_minutes))
    memory = []
    with TemporaryDirectory() as folder, NodeProcess(Path(folder), engine='auto') as node:
        graph = Graph(rclpy.create_node('soak'))
        for index, size in zip(range(runs), cycle(SIZES)):
            graph.run_camera(size, 60.0 * arguments.camera_minutes)
            own_mb, shared_mb = memory_mb(node.pid)
            memory.append(own_mb)
            accounted = sum(int(graph.counts.get(key, 0)) for key in COUNTS)
            sys.stdout.write(
                f'camera {index + 1} of {runs}, {size[1]}x{size[0]}: {graph.sent} sent, '
                f'{accounted} accounted for, {own_mb:.0f} MB and {shared_mb:.0f} MB shared, '
                f'last reset {graph.counts.get("last_reset_reason")}\n'
            )
            sys.stdout.flush()
        problems = [line for line in node.lines if '[ERROR]' in line or 'Traceback' in line]
        graph.spin(SETTLE_S)
    growth = max(memory[WARM_UP:]) / max(memory[:WARM_UP]) - 1.0
    missing = graph.sent - sum(int(graph.counts.get(key, 0)) for key in COUNTS)
    counts = ', '.join(f'{key} {graph.counts.get(key)}' for key in COUNTS)
    sys.stdout.write(
        '\n'.join(
            [
                *problems,
                f'{graph.sent} sent: {counts}; {missing} missing',
                f'memory {100 * growth:+.1f} %',
                '',
            ]
        )
    )
    rclpy.shutdown()
    return int(bool(problems) or missing != 0 or growth > 0.02)


if __name__ == '__main__':
    os.environ.update(transport_environment(os.environ))
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ['ROS_DOMAIN_ID'] = str(os.getpid() % 100 + 1)
    sys.exit(main())
