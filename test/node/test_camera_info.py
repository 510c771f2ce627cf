"""What the node does and says when camera_info is missing, late, partly unknown or another one."""

from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from support.node_bench import depth_of, find_by_stamp, random_image, start_bench
from support.node_process import golden_weights

CANONICAL_FOCAL = 0.8 * 120
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    """A node of a camera whose camera_info has another name than by convention."""
    folder = tmp_path_factory.mktemp('camera_info')
    network = {'model': 'flashdepth-tiny-s', 'temporal': False}
    weights = golden_weights(folder, 'flashdepth-tiny-s')
    with start_bench(folder, 'image:=/cam/image_raw', weights=weights, **network) as bench:
        bench.depth = bench.subscribe('/depth/image', Image)
        bench.infos = bench.subscribe('/depth/camera_info', CameraInfo)
        bench.points = bench.subscribe('/points', PointCloud2)
        bench.images = bench.create_publisher('/cam/image_raw')
        for topic in ('/another/camera_info', '/cam/info', '/depth/camera_info2'):
            bench.node.create_publisher(CameraInfo, topic, 1)
        bench.connect(bench.images, bench.image(random_image()), bench.depth)
        yield bench


def camera_info(scale=1.0, size=(160, 120), frame_id='camera', **fields):
    width, height = (round(scale * each) for each in size)
    focal, cx, cy = scale * 1.6 * CANONICAL_FOCAL, width / 2, height / 2
    k = [focal, 0.0, cx, 0.0, focal, cy, 0.0, 0.0, 1.0]
    info = CameraInfo(width=width, height=height, k=k, **fields)
    info.header.frame_id = frame_id
    return info


def process_image(bench, frame_id='camera'):
    """Return depth, camera_info and cloud of an image, None for what is not published."""
    image = bench.image(random_image(), frame_id)
    depth = bench.round_trip(bench.images, image, bench.depth)
    bench.timing_of(image)
    bench.spin_for(0.2)
    others = (find_by_stamp(each, image.header.stamp) for each in (bench.infos, bench.points))
    return depth_of(depth), *others


def send(bench, info, text, frame_id='camera'):
    """
    Publish a camera_info until /diagnostics report it with this text.

    Return depth, camera_info and cloud of the last image, and /diagnostics.
    """
    for _ in range(20):
        bench.camera_info.publish(info)
        outputs = process_image(bench, frame_id)
        summary = bench.summary()
        if text in summary['camera_info']:
            return *outputs, summary
    pytest.fail(f'{text!r} not in {summary["camera_info"]!r}')


def is_reported(summary):
    """Return whether the level of /diagnostics is due to camera_info, possibly among others."""
    reported = 'point cloud' in summary['message']
    assert not reported or summary['level'] == DiagnosticStatus.WARN
    return reported


def warnings(bench):
    return [line for line in bench.process.warnings if 'camera_info' in line]


def test_missing_camera_info_is_reported_with_its_cost_and_the_remap_rule(bench):
    bench.process.wait_for_line(
        'no camera_info on /cam/camera_info, which has 0 publisher(s)', 5.0
    )
    (warning,) = warnings(bench)
    assert 'no point cloud, and the metres of flashdepth-tiny-s' in warning
    assert 'wrong by the ratio of the focal lengths' in warning
    assert 'camera_info topics: /cam/info, /another/camera_info, /depth/' in warning
    assert warning.endswith('-r camera_info:=/cam/info')
    depth, info, cloud = process_image(bench)
    bench.canonical_depth, summary = depth, bench.summary()
    assert (info, cloud) == (None, None)
    assert is_reported(summary)
    assert 'wrong by the ratio of the focal lengths' in summary['camera_info']


def test_camera_info_sent_once_before_the_node_subscribed_is_used(bench):
    publisher = bench.node.create_publisher(CameraInfo, '/cam/camera_info', LATCHED)
    publisher.publish(camera_info())
    for _ in range(20):
        depth, info, cloud = process_image(bench)
        summary = bench.summary()
        if summary['camera_info'] == 'ok':
            break
    assert info is not None
    assert cloud is not None
    np.testing.assert_allclose(depth, 1.6 * bench.canonical_depth, rtol=1e-5)
    assert not is_reported(summary)
    bench.process.wait_for_line('metres published before have to be multiplied by 1.60')
    assert len(warnings(bench)) == 1
    bench.node.destroy_publisher(publisher)
    bench.camera_info = bench.create_publisher('/cam/camera_info', CameraInfo)


@pytest.mark.parametrize(
    ('info', 'text', 'has_cloud'),
    [
        (
            camera_info(distortion_model='Inverse Brown Conrady', d=[0.1] * 5),
            "distortion model 'Inverse Brown Conrady'",
            False,
        ),
        (camera_info(scale=2.0), 'is for 320 x 240 px', True),
        (camera_info(scale=0.75), 'is for 120 x 90 px', True),
        (camera_info(distortion_model='None'), 'ok', True),
    ],
)
def test_metres_are_right_whenever_the_focal_length_is_known(bench, info, text, has_cloud):
    depth, own_info, cloud, summary = send(bench, info, text)
    np.testing.assert_allclose(depth, 1.6 * bench.canonical_depth, rtol=1e-5)
    assert own_info.k[0] == pytest.approx(1.6 * CANONICAL_FOCAL)
    assert (own_info.distortion_model, list(own_info.d)) == (info.distortion_model, list(info.d))
    assert (cloud is not None) == has_cloud
    assert is_reported(summary) != has_cloud


def test_each_doubt_was_logged_once(bench):
    kinds = ('no camera_info', 'Inverse Brown Conrady', 'K is scaled')
    assert all(kind in line for kind, line in zip(kinds, warnings(bench), strict=True))


def test_camera_info_of_another_size_is_refused_with_the_factor(bench):
    # Of an image of another frame_id, no K is known from before.
    wrong = camera_info(size=(320, 120), frame_id='wide')
    depth, info, cloud, summary = send(bench, wrong, 'here by the factor 1.60', 'wide')
    np.testing.assert_allclose(depth, bench.canonical_depth, rtol=1e-5)
    assert (info, cloud) == (None, None)
    assert is_reported(summary)


def test_camera_info_of_before_a_restart_of_the_camera_is_named_until_it_arrives(bench):
    send(bench, camera_info(), 'ok')
    bench.node.destroy_publisher(bench.images)
    bench.node.destroy_publisher(bench.camera_info)
    bench.spin_for(1.0)
    bench.images = bench.create_publisher('/cam/image_raw')
    depth, info, _ = process_image(bench)
    assert info.k[0] == pytest.approx(1.6 * CANONICAL_FOCAL)
    np.testing.assert_allclose(depth, 1.6 * bench.canonical_depth, rtol=1e-5)
    text = 'no camera_info on /cam/camera_info since the images have another publisher'
    bench.process.wait_for_line(text, 8.0)
    process_image(bench)
    summary = bench.summary()
    assert text in summary['camera_info']
    assert text in summary['message']
    assert summary['level'] == DiagnosticStatus.WARN
    bench.camera_info = bench.create_publisher('/cam/camera_info', CameraInfo)
    *_, summary = send(bench, camera_info(), 'ok')
    assert text not in summary['message']
    assert sum(text in line for line in warnings(bench)) == 1
