"""Small recordings for tests."""

import cv2
import numpy as np

from flashdepth_ros.bags import BagWriter, build_message, header

IMAGE = 'sensor_msgs/msg/Image'
STEP_NS = 10**8
LATER_NS = 3 * 10**6
RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)


def stamp_of(index):
    return 7 * 10**9 + index * STEP_NS


def pattern(index, size=(70, 84)):
    """Return an RGB image of a coarse pattern that moves with the index."""
    coarse = np.random.default_rng(3).integers(0, 256, (5, 6, 3), np.uint8)
    rolled = np.roll(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC), index, axis=1)
    return np.ascontiguousarray(rolled)


def image(index, rgb=None, **changes):
    """Return a raw image of `rgb`; by default, of the small `RGB` plus the index."""
    rgb = RGB + np.uint8(index) if rgb is None else rgb
    height, width = rgb.shape[:2]
    fields = {'height': height, 'width': width, 'encoding': 'rgb8', 'step': 3 * width, 'data': rgb}
    fields |= changes
    fields['data'] = np.ravel(fields['data'])
    return build_message(IMAGE, header=header(stamp_of(index), 'camera'), **fields)


def compressed(index, data=None):
    """Return a losslessly compressed image with the same pixels as `image`."""
    if data is None:
        data = cv2.imencode('.png', (RGB + np.uint8(index))[..., ::-1])[1].tobytes()
    head = header(stamp_of(index), 'camera')
    return build_message('sensor_msgs/msg/CompressedImage', header=head, format='png', data=data)


def info(index, focal=5.0, size=(6, 8), frame_id='camera', **changes):
    height, width = size
    matrix = [focal, 0, (width - 1) / 2, 0, focal, (height - 1) / 2, 0, 0, 1]
    fields = {'height': height, 'width': width, 'k': matrix} | changes
    head = header(stamp_of(index), frame_id)
    return build_message('sensor_msgs/msg/CameraInfo', header=head, **fields)


def write(path, *messages, **options):
    """Write (topic, message) pairs with times of recording shortly after their stamps."""
    with BagWriter(path, **options) as bag:
        for topic, message in messages:
            stamp = message.header.stamp
            bag.write(topic, message, stamp.sec * 10**9 + stamp.nanosec + LATER_NS)
    return path


def camera_messages(frames=6, size=(70, 84)):
    """Yield the messages of a camera: an image and its camera_info for each frame."""
    for index in range(frames):
        yield '/cam/image_raw', image(index, pattern(index, size))
        yield '/cam/camera_info', info(index, focal=60.0, size=size)
