"""A live node with a wrong scale, a reference of known metres, and the scale of its output."""

from contextlib import contextmanager

import numpy as np
from sensor_msgs.msg import CameraInfo, Image

from flashdepth_ros.runtime import DepthEstimator
from support.network import ENGINE
from support.node_bench import depth_of, random_image, start_bench
from support.node_process import golden_weights

MODEL = 'flashdepth-tiny-s'
WRONG = 0.3
FOCAL, WIDTH, HEIGHT = 130.0, 160, 120
OPTIONS = {
    'model': MODEL,
    'temporal': False,
    'depth.scale': WRONG,
    'depth.max': 1e6,
    'scale.timeout': 1.0,
    'scale.window': 0.5,
    'scale.reference_min': 0.0,
    'scale.reference_max': 1e6,
}


@contextmanager
def start_scale_bench(folder, source, camera_matrix=None, change=None, **options):
    """
    Start a node with a source of the scale; `bench.inverse` is what it estimates.

    :param camera_matrix: K, if it is published; the model's metres depend on it.
    """
    weights = golden_weights(folder, MODEL, change)
    estimator = DepthEstimator(
        MODEL, weights, 'cpu', 'fp32', ENGINE, temporal=False, short_side=112
    )
    options = {**OPTIONS, 'weights': weights, 'scale.source': source, **options}
    with start_bench(folder, **options) as bench:
        bench.inverse = estimator.estimate(
            random_image(), 0, camera_matrix=camera_matrix
        ).inverse_depth
        bench.depth = bench.subscribe('/depth/image', Image)
        bench.images = bench.create_publisher()
        bench.connect(bench.images, bench.image(random_image()), bench.depth)
        yield bench


def scale_of(bench, count=1, refer=lambda _: None):
    """Process images, each after its reference; return the factor on the estimated depth."""
    for _ in range(count):
        message = bench.image(random_image(), step_ns=100_000_000)
        refer(bench.stamp_ns + 5_000_000)
        bench.spin_for(0.02)
        received = depth_of(bench.round_trip(bench.images, message, bench.depth))
    return float(np.median(received * bench.inverse))


def publish_camera_info(bench, info):
    """Publish a camera_info until the node uses it: the first message may come too early."""
    publisher = bench.create_publisher('/camera_info', CameraInfo)
    for _ in range(50):
        publisher.publish(info)
        bench.spin_for(0.1)
        scale_of(bench)
        if bench.summary()['camera_info'] == 'ok':
            return
    raise AssertionError(bench.summary()['camera_info'])


def camera_info(focal=FOCAL, frame_id='camera'):
    k = [focal, 0.0, (WIDTH - 1) / 2, 0.0, focal, (HEIGHT - 1) / 2, 0.0, 0.0, 1.0]
    info = CameraInfo(width=WIDTH, height=HEIGHT, k=k)
    info.header.frame_id = frame_id
    return info
