"""
The camera of the node's benchmark: a process that publishes one image over and over.

It does as each line of its standard input says, '<frames per second> <number of frames>', and
answers with one line of JSON. It ends with its input, so it never outlives who started it.
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

from flashdepth_ros.ros import cdr
from flashdepth_ros.ros.wiring import output_qos
from flashdepth_ros.tools.benchmark.subject import Subject, images

FRAME_ID = 'camera'
_SECOND_NS = 1_000_000_000
# A header comes first in its message, and its stamp behind the four bytes of the byte order.
_STAMP_OFFSET = 4
_LITTLE_ENDIAN = 1


@dataclass(frozen=True)
class Sent:
    """What the camera has done."""

    frames: int
    first_ns: int
    last_ns: int
    """Stamps of the first frame and the last."""

    @property
    def rate(self) -> float:
        """Frames per second, as they were really sent."""
        return (self.frames - 1) / max((self.last_ns - self.first_ns) * 1e-9, 1e-9)


def stamp_of(message: bytes) -> int:
    """Return the stamp of a serialised message that begins with a header, ns."""
    seconds, nanoseconds = struct.unpack_from(_stamp_format(message), message, _STAMP_OFFSET)
    return int(seconds) * _SECOND_NS + int(nanoseconds)


def stamped(message: bytearray, stamp_ns: int) -> bytes:
    """Return a serialised message that begins with a header, with another stamp; write it in."""
    stamp = divmod(stamp_ns, _SECOND_NS)
    struct.pack_into(_stamp_format(message), message, _STAMP_OFFSET, *stamp)
    return bytes(message)


def _stamp_format(message: bytes | bytearray) -> str:
    return '<iI' if message[1] == _LITTLE_ENDIAN else '>iI'


class Camera:
    """Publishes `image` and `camera_info`; both are made once, and only the stamp is written."""

    def __init__(self, node: Node, subject: Subject) -> None:
        image = cdr.image_of(0, FRAME_ID, 'rgb8', images(subject)[0])
        self._image = bytearray(cdr.write_image(image))
        self._info = bytearray(serialize_message(_camera_info(subject)))
        # Reliable, as most drivers: it serves whoever asks for less too.
        self._images = node.create_publisher(Image, 'image', output_qos())
        self._infos = node.create_publisher(CameraInfo, 'camera_info', output_qos())

    def play(self, rate: float, frames: int) -> Sent:
        """Publish so many frames at that rate; where the machine is late, late but not faster."""
        first_ns = stamp_ns = time.time_ns()
        due_s = time.monotonic()
        for _ in range(frames):
            time.sleep(max(0.0, due_s - time.monotonic()))
            due_s = max(due_s, time.monotonic() - 1.0 / rate) + 1.0 / rate
            stamp_ns = time.time_ns()
            self._infos.publish(stamped(self._info, stamp_ns))
            self._images.publish(stamped(self._image, stamp_ns))
        return Sent(frames, first_ns, stamp_ns)


def _camera_info(subject: Subject) -> CameraInfo:
    width, height = subject.width, subject.height
    info = CameraInfo(width=width, height=height, distortion_model='plumb_bob', d=[0.0] * 5)
    info.header.frame_id = FRAME_ID
    info.k = [width, 0, width / 2, 0, width, height / 2, 0, 0, 1]
    info.p = [width, 0, width / 2, 0, 0, width, height / 2, 0, 0, 0, 1, 0]
    info.r = [1, 0, 0, 0, 1, 0, 0, 0, 1]
    return info


def main() -> int:
    """Publish images of the subject given as JSON, as the standard input says."""
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = Node('benchmark_camera')
    try:
        camera = Camera(node, Subject(**json.loads(sys.argv[1])))
        for line in sys.stdin:
            rate, frames = line.split()
            sent = camera.play(float(rate), int(frames))
            sys.stdout.write(json.dumps(asdict(sent)) + '\n')
            sys.stdout.flush()
    finally:
        node.destroy_node()
        rclpy.shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
