"""The scale by a reference, through the live node, from a wrong initial scale."""

import cv2
from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, CompressedImage

from flashdepth_ros.ros import cdr
from flashdepth_ros.ros.transport import image_message
from support.node_bench import pixels_of, values_of
from support.scale_bench import (
    WRONG,
    camera_info,
    publish_camera_info,
    scale_of,
    start_scale_bench,
)


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    with start_scale_bench(tmp_path_factory.mktemp('scale'), 'depth') as bench:
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


def refer(bench, publisher, metres, make=lambda message: message, **options):
    """Return what publishes a reference for a stamp."""
    return lambda stamp_ns: publisher.publish(
        make(reference(bench.inverse, metres, stamp_ns, **options))
    )


def test_metres_follow_a_depth_topic_and_survive_its_loss(bench):
    assert scale_of(bench) == pytest.approx(WRONG, rel=1e-3)
    bench.spin_until(lambda: 'no scale yet' in values_of(bench.diagnostics[-1])['message'])
    summary = bench.summary()
    assert 'depth.scale 0.3 is used: no publisher on /scale/depth' in summary['message']
    assert summary['level'] == DiagnosticStatus.WARN
    assert summary['scale_source'] == 'depth'
    references = bench.create_publisher('/scale/depth')
    bench.timing.clear()
    scale_of(bench, 8, refer(bench, references, 2.0))
    assert scale_of(bench) == pytest.approx(2.0, rel=0.01)
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
    assert scale_of(bench, 15) == pytest.approx(2.0, rel=0.01)
    bench.spin_until(lambda: 'old and kept' in values_of(bench.diagnostics[-1])['message'])
    assert float(bench.summary()['scale_age_s']) > 1.0
    assert scale_of(bench, 8, refer(bench, references, 1.5)) == pytest.approx(1.5, rel=0.01)
    bench.wait_for(scale_state='ok')
    bench.reset()
    assert scale_of(bench, 2) == pytest.approx(1.5, rel=0.01)
    bench.node.destroy_publisher(references)


def test_millimetres_and_compressed_depth_are_understood(bench):
    unit = 5.0 * float(np.median(bench.inverse))
    references = bench.create_publisher('/scale/depth')
    scale = scale_of(bench, 12, refer(bench, references, unit, encoding='16UC1'))
    assert scale == pytest.approx(unit, rel=0.01)
    bench.node.destroy_publisher(references)

    def compressed(raw):
        png = cv2.imencode('.png', depth_of_millimetres(raw))[1].tobytes()
        message = CompressedImage(header=raw.header, format='16UC1; compressedDepth png')
        message.data = bytes(12) + png
        return message

    references = bench.create_publisher('/scale/depth/compressedDepth', CompressedImage)
    publish = refer(bench, references, 3 * unit, compressed, encoding='16UC1')
    scale = scale_of(bench, 12, publish)
    assert scale == pytest.approx(3 * unit, rel=0.01)
    bench.node.destroy_publisher(references)


def test_depth_of_another_camera_is_not_used_and_one_warning_says_so(bench):
    before = float(bench.summary()['scale'])
    references = bench.create_publisher('/scale/depth')
    scale_of(bench, 20, refer(bench, references, 7.0, frame_id='depth_camera'))
    why = "the reference has frame_id 'depth_camera', the image has 'camera'"
    bench.spin_until(lambda: why in values_of(bench.diagnostics[-1])['message'])
    bench.spin_until(lambda: any(why in line for line in bench.process.warnings))
    bench.spin_for(1.5)
    assert len([line for line in bench.process.warnings if why in line]) == 1
    assert float(bench.summary()['scale']) == pytest.approx(before)
    publish_camera_info(bench, camera_info())
    others = bench.create_publisher('/scale/camera_info', CameraInfo)
    for _ in range(5):
        others.publish(camera_info(focal=90.0))
        bench.spin_for(0.1)
    scale_of(bench, 5, refer(bench, references, 7.0))
    assert 'of another camera' in bench.summary()['scale_state']
    assert float(bench.summary()['scale']) == pytest.approx(before)
