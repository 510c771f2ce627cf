"""
The camera of the node's benchmark: a process that publishes one image repeatedly.

Each line of its standard input is '<frames per second> <number of frames>'; it publishes these
and answers with one line of JSON. It ends at the end of its input, hence with its parent process.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
import json
import struct
import sys
import time

import rclpy
from rclpy.node import Node
from rclpy.serialization import serialize_message
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, Image

from flashdepth_ros.entry_point import run_process
from flashdepth_ros.ros import cdr
from flashdepth_ros.ros.wiring import output_qos
from flashdepth_ros.tools.benchmark.config import BenchmarkConfig, create_images

FRAME_ID = 'camera'
_SECOND_NS = 1_000_000_000
# In a message that begins with a header, the stamp follows the 4-byte CDR encapsulation.
_STAMP_OFFSET = 4
_LITTLE_ENDIAN = 1


@dataclass(frozen=True)
class SentFrames:
    """The number of frames that the camera sent, and when."""

    frames: int
    first_ns: int
    last_ns: int
    """Stamps of the first and the last frame."""

    @property
    def rate(self) -> float:
        """Return the actual rate, frames per second."""
        return (self.frames - 1) / max((self.last_ns - self.first_ns) * 1e-9, 1e-9)


def read_stamp(message: bytes) -> int:
    """Return the stamp, ns, of a serialised message that begins with a header."""
    seconds, nanoseconds = struct.unpack_from(_stamp_format(message), message, _STAMP_OFFSET)
    return int(seconds) * _SECOND_NS + int(nanoseconds)


def write_stamp(message: bytearray, stamp_ns: int) -> bytes:
    """Set the stamp of a serialised message that begins with a header; return its bytes."""
    stamp = divmod(stamp_ns, _SECOND_NS)
    struct.pack_into(_stamp_format(message), message, _STAMP_OFFSET, *stamp)
    return bytes(message)


def _stamp_format(message: bytes | bytearray) -> str:
    return '<iI' if message[1] == _LITTLE_ENDIAN else '>iI'


class Camera:
    """Publishes `image` and `camera_info`; only their stamps change from frame to frame."""

    def __init__(self, node: Node, config: BenchmarkConfig) -> None:
        image = cdr.image_of(0, FRAME_ID, 'rgb8', create_images(config)[0])
        self._image = bytearray(cdr.write_image(image))
        self._info = bytearray(serialize_message(_camera_info(config)))
        # Reliable, as most drivers publish; it is compatible with best-effort subscribers.
        self._images = node.create_publisher(Image, 'image', output_qos())
        self._infos = node.create_publisher(CameraInfo, 'camera_info', output_qos())

    def publish(self, rate: float, frames: int) -> SentFrames:
        """Publish frames at this rate; after a delay, later frames do not catch up."""
        first_ns = stamp_ns = time.time_ns()
        due_s = time.monotonic()
        for _ in range(frames):
            time.sleep(max(0.0, due_s - time.monotonic()))
            due_s = max(due_s, time.monotonic() - 1.0 / rate) + 1.0 / rate
            stamp_ns = time.time_ns()
            self._infos.publish(write_stamp(self._info, stamp_ns))
            self._images.publish(write_stamp(self._image, stamp_ns))
        return SentFrames(frames, first_ns, stamp_ns)


def _camera_info(config: BenchmarkConfig) -> CameraInfo:
    width, height = config.width, config.height
    info = CameraInfo(width=width, height=height, distortion_model='plumb_bob', d=[0.0] * 5)
    info.header.frame_id = FRAME_ID
    info.k = [width, 0, width / 2, 0, width, height / 2, 0, 0, 1]
    info.p = [width, 0, width / 2, 0, 0, width, height / 2, 0, 0, 0, 1, 0]
    info.r = [1, 0, 0, 0, 1, 0, 0, 0, 1]
    return info


def main() -> int:
    """Read a configuration (JSON) and publish images on request from standard input."""
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = Node('benchmark_camera')
    try:
        camera = Camera(node, BenchmarkConfig(**json.loads(sys.argv[1])))
        for line in sys.stdin:
            rate, frames = line.split()
            sent = camera.publish(float(rate), int(frames))
            sys.stdout.write(json.dumps(asdict(sent)) + '\n')
            sys.stdout.flush()
    finally:
        node.destroy_node()
        rclpy.shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(run_process('camera', main))
