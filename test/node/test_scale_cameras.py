"""Two cameras in one node: each follows a reference of its own."""

import numpy as np
import pytest
from sensor_msgs.msg import Image

from flashdepth_ros.ros import cdr
from flashdepth_ros.ros.transport import image_message
from flashdepth_ros.runtime import DepthEstimator
from support.network import ENGINE
from support.node_bench import depth_of, random_image, start_bench
from support.node_process import golden_weights
from support.scale_bench import MODEL, OPTIONS, WRONG

SCALES = {'left': 2.0, 'right': 0.5, 'rear': WRONG}


def test_each_camera_has_the_scale_of_its_own_reference(tmp_path):
    weights = golden_weights(tmp_path, MODEL)
    estimator = DepthEstimator(
        MODEL, weights, 'cpu', 'fp32', ENGINE, temporal=False, short_side=112
    )
    inverse = estimator.estimate(random_image(), 0).inverse_depth
    sources = {'left.scale.source': 'depth', 'right.scale.source': 'depth'}
    cameras = f'[{", ".join(SCALES)}]'
    with start_bench(tmp_path, weights=weights, cameras=cameras, **OPTIONS, **sources) as bench:
        depth = {name: bench.subscribe(f'/{name}/depth/image', Image) for name in SCALES}
        images = {name: bench.create_publisher(f'/{name}/image') for name in SCALES}
        references = {
            name: bench.create_publisher(f'/{name}/scale/depth') for name in ('left', 'right')
        }
        for name in SCALES:
            while not depth[name]:
                images[name].publish(bench.image(random_image()))
                bench.spin_for(0.3)
        seen = {}
        for _ in range(8):
            message = bench.image(random_image(), step_ns=100_000_000)
            for name, publisher in references.items():
                known = (SCALES[name] / inverse).astype(np.float32)
                view = cdr.image_of(bench.stamp_ns, 'camera', '32FC1', known)
                publisher.publish(image_message(view))
            bench.spin_for(0.05)
            for name in SCALES:
                received = depth_of(bench.round_trip(images[name], message, depth[name]))
                seen[name] = float(np.median(received * inverse))
        assert seen == pytest.approx(SCALES, rel=0.01)
