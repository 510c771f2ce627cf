"""The scale by a reference, through the live node, from a wrong initial scale."""

import cv2
from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from flashdepth_ros.ros import cdr
from flashdepth_ros.ros.transport import image_message
from flashdepth_ros.runtime import DepthEstimator
from support.node_bench import depth_of, pixels_of, random_image, start_bench, values_of
from support.node_process import golden_weights

MODEL = 'flashdepth-tiny-s'
WRONG = 0.3
ANY_DEPTH = {'scale.reference_min': 0.0, 'scale.reference_max': 1e6, 'depth.max': 1e6}
OPTIONS = {
    'model': MODEL,
    'temporal': False,
    'depth.scale': WRONG,
    'scale.timeout': 1.0,
    'scale.window': 0.5,
    **ANY_DEPTH,
}


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    return golden_weights(tmp_path_factory.mktemp('weights'), MODEL)


@pytest.fixture(scope='module')
def inverse(weights):
    """Inverse depth of `random_image` as the node estimates it."""
    estimator = DepthEstimator(
        MODEL, weights, 'cpu', 'fp32', 'torch', temporal=False, short_side=112
    )
    return estimator.estimate(random_image(), 0).inverse_depth


@pytest.fixture(scope='module')
def bench(tmp_path_factory, weights):
    folder = tmp_path_factory.mktemp('scale')
    with start_bench(folder, weights=weights, **OPTIONS, **{'scale.source': 'depth'}) as bench:
        bench.depth = bench.subscribe('/depth/image', Image)
        bench.images = bench.create_publisher()
        bench.connect(bench.images, bench.image(random_image()), bench.depth)
        yield bench


def reference(inverse, metres, stamp_ns, frame_id='camera', encoding='32FC1'):
    """Return the depth image of half the size whose metres are those of the scale."""
    depth = (metres / inverse[1::2, 1::2]).astype(np.float32)
    depth[::9, ::7] *= 5.0
    pixels = depth if encoding == '32FC1' else np.rint(1000 * depth).astype(np.uint16)
    pixels = np.ascontiguousarray(pixels)
    return image_message(cdr.image_of(stamp_ns, frame_id, encoding, pixels))


def depth_of_millimetres(message):
    return np.ascontiguousarray(pixels_of(message, np.uint16)[..., 0])


def scale_of(bench, inverse, count=1, references=None, make=reference, **options):
    """Process images, each after its reference; return true over estimated inverse depth."""
    for _ in range(count):
        message = bench.image(random_image(), step_ns=100_000_000)
        if references is not None:
            references.publish(make(inverse, stamp_ns=bench.stamp_ns + 5_000_000, **options))
            bench.spin_for(0.02)
        received = depth_of(bench.round_trip(bench.images, message, bench.depth))
    return float(np.median(received * inverse))


def test_metres_follow_a_depth_topic_and_survive_its_loss(bench, inverse):
    assert scale_of(bench, inverse) == pytest.approx(WRONG, rel=1e-3)
    bench.spin_until(lambda: 'no scale yet' in values_of(bench.diagnostics[-1])['message'])
    summary = bench.summary()
    assert 'depth.scale 0.3 is used: no publisher on /scale/depth' in summary['message']
    assert summary['level'] == DiagnosticStatus.WARN
    assert summary['scale_source'] == 'depth'
    references = bench.create_publisher('/scale/depth')
    bench.timing.clear()
    scale_of(bench, inverse, 8, references, metres=2.0)
    assert scale_of(bench, inverse) == pytest.approx(2.0, rel=0.01)
    changes = [values_of(each)['scale_changed'] for each in bench.timing]
    (change,) = filter(None, changes)
    assert float(change) == pytest.approx(2.0 / WRONG, rel=0.01)
    assert {values_of(each)['reset_reason'] for each in bench.timing} == {''}
    summary = bench.wait_for(level=DiagnosticStatus.OK)
    assert float(summary['scale']) == pytest.approx(2.0, rel=0.01)
    assert 0.9 < float(summary['scale_inliers']) < 1.0
    assert float(summary['scale_residual']) < 0.01
    assert float(summary['scale_age_s']) < 0.5
    assert summary['scale_state'] == 'ok'
    assert summary['output'] == 'depth in metres by scale.source depth'
    assert scale_of(bench, inverse, 15) == pytest.approx(2.0, rel=0.01)
    bench.spin_until(lambda: 'old and kept' in values_of(bench.diagnostics[-1])['message'])
    assert float(bench.summary()['scale_age_s']) > 1.0
    assert scale_of(bench, inverse, 8, references, metres=1.5) == pytest.approx(1.5, rel=0.01)
    bench.wait_for(scale_state='ok')
    bench.reset()
    assert scale_of(bench, inverse, 2) == pytest.approx(1.5, rel=0.01)
    bench.node.destroy_publisher(references)


def test_millimetres_and_compressed_depth_are_understood(bench, inverse):
    unit = 5.0 * float(np.median(inverse))
    references = bench.create_publisher('/scale/depth')
    scale = scale_of(bench, inverse, 12, references, metres=unit, encoding='16UC1')
    assert scale == pytest.approx(unit, rel=0.01)
    bench.node.destroy_publisher(references)

    def compressed(*arguments, **options):
        raw = reference(*arguments, **options)
        png = cv2.imencode('.png', depth_of_millimetres(raw))[1].tobytes()
        message = CompressedImage(header=raw.header, format='16UC1; compressedDepth png')
        message.data = bytes(12) + png
        return message

    references = bench.create_publisher('/scale/depth/compressedDepth', CompressedImage)
    options = {'metres': 3 * unit, 'encoding': '16UC1'}
    scale = scale_of(bench, inverse, 12, references, compressed, **options)
    assert scale == pytest.approx(3 * unit, rel=0.01)
    bench.node.destroy_publisher(references)


def test_depth_of_another_camera_is_not_used_and_one_warning_says_so(bench, inverse):
    before = float(bench.summary()['scale'])
    references = bench.create_publisher('/scale/depth')
    scale_of(bench, inverse, 20, references, metres=7.0, frame_id='depth_camera')
    why = "the reference has frame_id 'depth_camera', the image has 'camera'"
    bench.spin_until(lambda: why in values_of(bench.diagnostics[-1])['message'])
    bench.spin_until(lambda: any(why in line for line in bench.process.warnings))
    bench.spin_for(1.5)
    assert len([line for line in bench.process.warnings if why in line]) == 1
    assert float(bench.summary()['scale']) == pytest.approx(before)
    infos = bench.create_publisher('/camera_info', CameraInfo)
    others = bench.create_publisher('/scale/camera_info', CameraInfo)
    for publisher, focal in ((infos, 130.0), (others, 90.0)):
        k = [focal, 0.0, 80.0, 0.0, focal, 60.0, 0.0, 0.0, 1.0]
        info = CameraInfo(width=160, height=120, k=k)
        info.header.frame_id = 'camera'
        publisher.publish(info)
    bench.spin_for(0.3)
    scale_of(bench, inverse, 5, references, metres=7.0)
    assert 'of another camera' in bench.summary()['scale_state']
    assert float(bench.summary()['scale']) == pytest.approx(before)
