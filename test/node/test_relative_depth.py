"""Relative models and the cache of temporal attention, through the live node."""

from lifecycle_msgs.msg import Transition
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from flashdepth_ros.ros import cdr
from flashdepth_ros.ros.transport import image_message
from flashdepth_ros.runtime import DepthEstimator
from support.node_bench import depth_of, find_by_stamp, random_image, start_bench, values_of
from support.node_process import golden_weights

pytestmark = pytest.mark.needs_torch('the exported model is another preset')

MODEL = 'video-depth-anything-tiny'
STEP_NS = 30_000_000


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    return golden_weights(tmp_path_factory.mktemp('weights'), MODEL)


def estimates(weights, images):
    """Return inverse depth of a sequence of images, from the estimator."""
    estimator = DepthEstimator(MODEL, weights, 'cpu', 'fp32', 'torch', short_side=112)
    return [
        estimator.estimate(rgb, index * STEP_NS).inverse_depth for index, rgb in enumerate(images)
    ]


def test_relative_output_is_inverse_depth_on_its_own_topic_and_resets_drop_the_cache(
    tmp_path, weights
):
    options = {'model': MODEL, 'weights': weights, 'depth.output': 'relative', 'depth.max': 50.0}
    options['points.min_confidence'] = 0.5
    with start_bench(tmp_path, **options) as bench:
        (warning,) = bench.process.warnings
        assert 'no effect with depth.output relative: depth.max, points.min_confidence' in warning
        assert any(
            'relative inverse depth on depth/inverse' in each for each in bench.process.lines
        )
        inverse = bench.subscribe('/depth/inverse', Image)
        depth = bench.subscribe('/depth/image', Image)
        points = bench.subscribe('/points', PointCloud2)
        images = bench.create_publisher()
        bench.connect(images, bench.image(random_image()), inverse)
        rgbs = [random_image(seed) for seed in range(3)]
        for reset in (bench.reset, lambda: bench.next_stamp(10**10)):
            reset()
            for rgb, expected in zip(rgbs, estimates(weights, rgbs), strict=True):
                message = bench.image(rgb)
                received = bench.round_trip(images, message, inverse)
                assert received.encoding == '32FC1'
                np.testing.assert_allclose(depth_of(received), expected, rtol=1e-4, atol=1e-5)
        alone = estimates(weights, rgbs[2:])[0]
        assert np.abs(depth_of(received) - alone).max() > 1e-3
        assert not depth
        assert not points
        summary = bench.summary()
        assert summary['output'] == 'relative inverse depth on depth/inverse'
        # 112 x 154 px: 42 frames of what two layers of four modules take in, and a count.
        cells, channels = (88, 24, 88, 352), (96, 128, 32, 32)
        floats = 42 * 2 * sum(map(np.prod, zip(cells, channels, strict=True)))
        assert float(summary['state_memory_mb']) == pytest.approx(4e-6 * floats, abs=0.1)


def test_relative_model_gives_metres_only_by_an_explicit_scale(tmp_path, weights):
    with start_bench(tmp_path, model=MODEL, weights=weights) as bench:
        bench.process.wait_for_line('gives inverse depth without a unit')
        depth = bench.subscribe('/depth/image', Image)
        points = bench.subscribe('/points', PointCloud2)
        color = bench.subscribe('/depth/image_color', Image)
        infos = bench.create_publisher('/camera_info', CameraInfo)
        images = bench.create_publisher()
        info = CameraInfo(width=160, height=120, k=[130.0, 0, 80, 0, 130, 60, 0, 0, 1])
        info.header.frame_id = 'camera'
        infos.publish(info)
        for _ in range(10):
            images.publish(bench.image(random_image()))
            bench.spin_for(0.2)
        assert bench.timing
        assert not [*depth, *points, *color]
        summary = bench.summary()
        assert summary['output'] == 'no depth'
        assert 'set depth.scale' in summary['message']
        assert not bench.set(**{'depth.scale': 2.0})
        bench.reset()
        message = bench.image(random_image())
        received = depth_of(bench.round_trip(images, message, depth))
        (expected,) = estimates(weights, [random_image()])
        np.testing.assert_allclose(received, 2.0 / expected, rtol=1e-4)
        bench.spin_until(lambda: find_by_stamp(points, message.header.stamp))
        assert bench.summary()['output'] == 'depth in metres by depth.scale'


def test_relative_model_has_metres_from_the_first_fit_of_its_scale_on(tmp_path, weights):
    limits = {'scale.reference_min': 0.0, 'scale.reference_max': 1e6, 'depth.max': 1e6}
    options = {'model': MODEL, 'weights': weights, 'temporal': False, 'scale.source': 'depth'}
    (inverse,) = estimates(weights, [random_image()])
    with start_bench(tmp_path, **options, **limits) as bench:
        assert bench.process.warnings == []
        depth = bench.subscribe('/depth/image', Image)
        images = bench.create_publisher()
        references = bench.create_publisher('/scale/depth')
        while not bench.timing:
            images.publish(bench.image(random_image()))
            bench.spin_for(0.3)
        assert not depth
        assert bench.summary()['output'] == 'depth in metres not yet by scale.source depth'
        for _ in range(5):
            message = bench.image(random_image())
            known = cdr.image_of(bench.stamp_ns, 'camera', '32FC1', 4.0 / inverse)
            references.publish(image_message(known))
            bench.spin_for(0.02)
            bench.process_all(images, [message])
        bench.spin_until(lambda: find_by_stamp(depth, message.header.stamp))
        received = depth_of(find_by_stamp(depth, message.header.stamp))
        np.testing.assert_allclose(received, 4.0 / inverse, rtol=0.01)
        assert {values_of(each)['scale_changed'] for each in bench.timing} == {''}
        assert bench.summary()['output'] == 'depth in metres by scale.source depth'


def test_millimetres_of_relative_depth_are_refused(tmp_path, weights):
    options = {'depth.output': 'relative', 'depth.encoding': '16UC1', 'autostart': False}
    with start_bench(tmp_path, model=MODEL, weights=weights, ready=None, **options) as bench:
        assert bench.change_state(Transition.TRANSITION_CONFIGURE) == [False]
        bench.process.wait_for_line('relative has no unit')
