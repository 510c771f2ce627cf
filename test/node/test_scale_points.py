"""The scale by points of another sensor and `/tf_static`, through the live node."""

import numpy as np
import pytest
from sensor_msgs.msg import LaserScan, PointCloud2

from flashdepth_ros.camera.geometry import Intrinsics, back_project, rays
from flashdepth_ros.camera.pose import rigid
from flashdepth_ros.ros import cdr
from flashdepth_ros.ros.transport import cloud_message
from support.node_bench import stamp_of, values_of
from support.scale_bench import (
    FOCAL,
    HEIGHT,
    WIDTH,
    WRONG,
    camera_info,
    publish_camera_info,
    scale_of,
    start_scale_bench,
)
from support.tf_publisher import ENVIRONMENT, TransformPublisher

CAMERA = Intrinsics(WIDTH, HEIGHT, FOCAL, FOCAL, (WIDTH - 1) / 2, (HEIGHT - 1) / 2)
# The robot: the camera looks along x of base_link, the lidar is 0.2 m behind it and 0.1 m higher.
CAMERA_POSE = (0.1, 0.0, 0.5, -0.5, 0.5, -0.5, 0.5)
LIDAR_POSE = (-0.1, 0.0, 0.6, 0.0, 0.0, 0.0, 1.0)


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    options = {'environment': ENVIRONMENT, 'camera_matrix': tuple(camera_info().k)}
    with start_scale_bench(tmp_path_factory.mktemp('scale'), 'points', **options) as bench:
        publish_camera_info(bench, camera_info())
        bench.transforms = TransformPublisher(bench.node, static=True)
        yield bench


def lidar_points(bench, metres, stride=6):
    """Return points (N, 3) of the estimated surface in the frame of the lidar, with outliers."""
    depth = (metres / bench.inverse[::stride, ::stride]).astype(np.float32)
    depth[::5, ::7] *= 0.5
    points = back_project(depth, rays(CAMERA, stride)).reshape(-1, 3)
    in_lidar = np.linalg.inv(rigid(LIDAR_POSE)) @ rigid(CAMERA_POSE)
    return (points @ in_lidar[:3, :3].T + in_lidar[:3, 3]).astype(np.float32)


def cloud(bench, metres, stamp_ns):
    points = lidar_points(bench, metres)[None]
    return cloud_message(cdr.PointCloud(stamp_ns, 'lidar', ('x', 'y', 'z'), points))


def scan(bench, metres, stamp_ns):
    """Return a scan in the plane of the optical axis, from the position of the camera."""
    angles = np.linspace(-0.5, 0.5, 101)
    columns = np.rint(CAMERA.cx - FOCAL * np.tan(angles)).astype(int)
    ranges = metres / bench.inverse[HEIGHT // 2, columns] / np.cos(angles)
    message = LaserScan(angle_min=-0.5, angle_max=0.5, angle_increment=0.01, range_max=1e6)
    message.ranges = ranges.astype(np.float32).tolist()
    message.header.frame_id, message.header.stamp = 'laser', stamp_of(stamp_ns)
    return message


def test_metres_follow_a_point_cloud_through_tf_and_survive_its_loss(bench):
    assert scale_of(bench) == pytest.approx(WRONG, rel=1e-3)
    bench.spin_until(lambda: 'no scale yet' in values_of(bench.diagnostics[-1])['message'])
    assert 'no publisher on /scale/points or /scale/scan' in bench.summary()['message']
    clouds = bench.create_publisher('/scale/points', PointCloud2)

    def refer(stamp_ns):
        clouds.publish(cloud(bench, 2.0, stamp_ns))

    scale_of(bench, 3, refer)
    why = "no transform from 'lidar' to 'camera'"
    bench.spin_until(lambda: why in values_of(bench.diagnostics[-1])['scale_state'])
    bench.transforms.publish(
        ('base_link', 'camera', 0, CAMERA_POSE), ('base_link', 'lidar', 0, LIDAR_POSE)
    )
    bench.spin_for(0.5)
    scale_of(bench, 8, refer)
    assert scale_of(bench) == pytest.approx(2.0, rel=0.02)
    summary = bench.wait_for(scale_state='ok')
    assert summary['scale_source'] == 'points'
    assert float(summary['scale']) == pytest.approx(2.0, rel=0.02)
    assert float(summary['scale_inliers']) > 0.9
    assert scale_of(bench, 15) == pytest.approx(2.0, rel=0.02)
    bench.spin_until(lambda: 'old and kept' in values_of(bench.diagnostics[-1])['message'])
    assert scale_of(bench, 8, refer) == pytest.approx(2.0, rel=0.02)
    bench.wait_for(scale_state='ok')
    bench.node.destroy_publisher(clouds)


def test_metres_follow_a_laser_scan(bench):
    # The scanner is at the camera, with x forward and y left.
    pose = (*CAMERA_POSE[:3], 0.0, 0.0, 0.0, 1.0)
    bench.transforms.publish(
        ('base_link', 'laser', 0, pose), ('base_link', 'camera', 0, CAMERA_POSE)
    )
    scans = bench.create_publisher('/scale/scan', LaserScan)
    scale = scale_of(bench, 15, lambda stamp_ns: scans.publish(scan(bench, 4.0, stamp_ns)))
    assert scale == pytest.approx(4.0, rel=0.02)
    bench.node.destroy_publisher(scans)


def test_points_beside_the_image_are_named(bench):
    clouds = bench.create_publisher('/scale/points', PointCloud2)
    before = float(bench.summary()['scale'])

    def refer(stamp_ns):
        points = -lidar_points(bench, 2.0)[None]
        behind = cdr.PointCloud(stamp_ns, 'lidar', ('x', 'y', 'z'), points)
        clouds.publish(cloud_message(behind))

    scale_of(bench, 15, refer)
    bench.spin_until(lambda: 'no overlap' in values_of(bench.diagnostics[-1])['scale_state'])
    assert float(bench.summary()['scale']) == pytest.approx(before)
