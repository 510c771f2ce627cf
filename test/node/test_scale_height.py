"""The scale by the height of the camera, through the live node: it looks straight down."""

from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest

from support.node_bench import values_of
from support.scale_bench import (
    WRONG,
    camera_info,
    publish_camera_info,
    scale_of,
    start_scale_bench,
)
from support.tf_publisher import ENVIRONMENT, TransformPublisher

HEIGHT = 0.7
# The optical axis points down, against z of base_link.
LOOKS_DOWN = (0.0, 0.0, HEIGHT, 1.0, 0.0, 0.0, 0.0)


def test_metres_follow_from_the_height_once_gravity_is_known(tmp_path):
    info = camera_info()
    options = {'environment': ENVIRONMENT, 'camera_matrix': tuple(info.k)}
    with start_scale_bench(
        tmp_path, 'height', **options, **{'scale.camera_height': HEIGHT}
    ) as bench:
        bench.spin_until(lambda: 'no camera_info' in values_of(bench.diagnostics[-1])['message'])
        publish_camera_info(bench, info)
        # As if the camera were level, there is no ground in the image.
        assert scale_of(bench, 3) == pytest.approx(WRONG, rel=1e-3)
        why = 'no ground plane within 20 degrees of the down axis of a level camera'
        bench.spin_until(lambda: why in values_of(bench.diagnostics[-1])['message'])
        assert bench.summary()['level'] == DiagnosticStatus.WARN
        transforms = TransformPublisher(bench.node, static=True)
        transforms.publish(('base_link', 'camera', 0, LOOKS_DOWN))
        bench.spin_for(0.5)
        scale_of(bench, 8)
        expected = HEIGHT * float(np.median(bench.inverse))
        assert scale_of(bench) == pytest.approx(expected, rel=0.05)
        summary = bench.wait_for(scale_state='ok', level=DiagnosticStatus.OK)
        assert summary['scale_source'] == 'height'
        assert float(summary['scale']) == pytest.approx(expected, rel=0.05)
        assert not bench.set(**{'scale.camera_height': 2 * HEIGHT})
        assert scale_of(bench, 15) == pytest.approx(2 * expected, rel=0.05)
        assert int(bench.summary()['scale_jumps']) >= 2
        assert 'needs scale.camera_height' in bench.set(**{'scale.camera_height': 0.0})[0]
