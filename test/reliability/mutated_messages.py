"""
Mutated messages against the live node: it answers every valid image that follows, and never ends.

    PYTHONPATH=test .venv/bin/python -m reliability.mutated_messages --count 10000

Images, compressed images and camera_infos are mutated as serialized bytes, fields included, and
published to a node of its own. After every hundred messages a valid image must give depth.
"""

import argparse
import os
from pathlib import Path
from random import Random
import signal
import sys
from tempfile import TemporaryDirectory
import time

import cv2
import numpy as np
import rclpy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from tqdm import tqdm

from flashdepth_ros.ros.environment import transport_environment
from reliability.mutations import mutate
from support.node_process import NodeProcess

BATCH = 100
ANSWER_S = 20.0
SIZE = (48, 64)


class Camera:
    """Publishes valid and mutated messages, and waits for depth."""

    def __init__(self, topic_type: type) -> None:
        self.node = rclpy.create_node(f'mutator_{topic_type.__name__.lower()}')
        self._topic = 'image' if topic_type is Image else 'image/compressed'
        self._images = self.node.create_publisher(topic_type, self._topic, 5)
        self._infos = self.node.create_publisher(CameraInfo, 'camera_info', 5)
        self.stamps: set[tuple[int, int]] = set()
        self.node.create_subscription(Image, 'depth/image', self._receive, 5)
        for topic in ('depth/image_color', 'depth/camera_info', 'points'):
            self._listen(topic)
        self._count = 0

    def _listen(self, topic: str) -> None:
        kind = {'points': PointCloud2, 'depth/camera_info': CameraInfo}.get(topic, Image)
        self.node.create_subscription(kind, topic, lambda _: None, 5)

    def _receive(self, depth: Image) -> None:
        self.stamps.add((depth.header.stamp.sec, depth.header.stamp.nanosec))

    def valid(self) -> tuple[object, CameraInfo]:
        """Return a valid image with a stamp of its own, and its camera_info."""
        self._count += 1
        height, width = SIZE
        message = Image(height=height, width=width, encoding='rgb8', step=3 * width)
        message.data = bytes(3 * height * width)
        if self._topic != 'image':
            message = CompressedImage(format='jpeg')
            pixels = np.full((height, width, 3), 90, np.uint8)
            message.data = cv2.imencode('.jpg', pixels)[1].tobytes()
        k = [50.0, 0.0, width / 2, 0.0, 50.0, height / 2, 0.0, 0.0, 1.0]
        info = CameraInfo(height=height, width=width, k=k)
        for each in (message, info):
            each.header.stamp.sec, each.header.frame_id = 1000 + self._count, 'camera'
        return message, info

    def publish_mutated(self, random: Random) -> None:
        """Publish a mutated image or camera_info."""
        message, info = self.valid()
        publisher, chosen = random.choice(((self._images, message), (self._infos, info)))
        publisher.publish(mutate(serialize_message(chosen), random))
        rclpy.spin_once(self.node, timeout_sec=0.0)

    def is_answered(self, timeout_s: float) -> bool:
        """Publish valid images until depth of one arrives."""
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            message, info = self.valid()
            self._infos.publish(info)
            self._images.publish(message)
            wanted = (message.header.stamp.sec, 0)
            next_s = time.monotonic() + 0.5
            while time.monotonic() < next_s:
                rclpy.spin_once(self.node, timeout_sec=0.05)
                if wanted in self.stamps:
                    return True
        return False


def run(topic_type: type, count: int, random: Random, folder: Path) -> list[str]:
    """Return what went wrong with one kind of image topic."""
    transport = 'raw' if topic_type is Image else 'compressed'
    parameters = {'model': 'flashdepth-tiny', 'inference.short_side': 56}
    with NodeProcess(folder, **parameters, image_transport=transport) as node:
        camera = Camera(topic_type)
        if not camera.is_answered(60.0):
            return ['no depth before any mutated message', *node.lines]
        for start in tqdm(range(0, count, BATCH), unit=f'{BATCH} messages', desc=transport):
            for _ in range(min(BATCH, count - start)):
                camera.publish_mutated(random)
                time.sleep(0.002)
            if not node.alive:
                return [f'the node ended with {node.wait()}', *node.lines[-30:]]
            if not camera.is_answered(ANSWER_S):
                return [f'no depth after {start + BATCH} messages', *node.lines[-30:]]
        problems = [line for line in node.lines if 'Traceback' in line]
        os.kill(node.pid, signal.SIGINT)
        status = node.wait(20.0)
    return [*problems, *([] if status in (0, 130) else [f'it ended with status {status}'])]


def main() -> int:
    """Run; return 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('--count', type=int, default=10_000)
    parser.add_argument('--seed', type=int, default=0)
    arguments = parser.parse_args()
    rclpy.init()
    failed = False
    for topic_type in (Image, CompressedImage):
        random = Random(arguments.seed)
        with TemporaryDirectory() as folder:
            problems = run(topic_type, arguments.count // 2, random, Path(folder))
        for problem in problems:
            sys.stdout.write(f'{problem}\n')
        failed = failed or bool(problems)
    sys.stdout.write('failed\n' if failed else f'{arguments.count} messages, all survived\n')
    rclpy.shutdown()
    return int(failed)


if __name__ == '__main__':
    os.environ.update(transport_environment(os.environ))
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ['ROS_DOMAIN_ID'] = str(os.getpid() % 100 + 1)
    sys.exit(main())
