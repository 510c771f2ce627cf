"""A camera driver as a separate process: `camera_process.py TOPIC WIDTH HEIGHT HZ FIRST_S`."""

import sys
import time

import numpy as np
import rclpy
from sensor_msgs.msg import Image

DISCOVERY_S = 2.0


def main():
    topic, width, height, rate_hz, first_s = sys.argv[1], *map(int, sys.argv[2:])
    rclpy.init()
    publisher = rclpy.create_node('driver').create_publisher(Image, topic, 5)
    image = Image(height=height, width=width, encoding='rgb8', step=3 * width)
    image.header.frame_id = 'camera'
    pixels = np.random.default_rng(0).integers(0, 256, image.step * height, np.uint8)
    image.data.frombytes(pixels.tobytes())
    # Images that are sent before the node is discovered would count as lost, and the time that
    # discovery takes depends on the load of the computer.
    latest_s = time.monotonic() + DISCOVERY_S
    while not publisher.get_subscription_count() and time.monotonic() < latest_s:
        time.sleep(0.01)
    start_s = time.monotonic()
    for index in range(sys.maxsize):
        stamp_ns = first_s * 10**9 + index * 10**9 // rate_hz
        image.header.stamp.sec, image.header.stamp.nanosec = divmod(stamp_ns, 10**9)
        publisher.publish(image)
        time.sleep(max(0.0, start_s + (index + 1) / rate_hz - time.monotonic()))


if __name__ == '__main__':
    main()
