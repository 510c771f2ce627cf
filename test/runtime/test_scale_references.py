"""References of the online scale that are no depth images."""

from dataclasses import replace

import numpy as np
import pytest

from flashdepth_ros.bags import BagReader
from flashdepth_ros.bags.sample import sample_recording
from flashdepth_ros.camera.calibration import Camera
from flashdepth_ros.camera.pose import rigid
from flashdepth_ros.camera.transform_buffer import TransformBuffer
from flashdepth_ros.errors import ConfigError, InputError
from flashdepth_ros.messages import read_depth
from flashdepth_ros.runtime.scale import (
    FrameView,
    GroundObserver,
    GroundReference,
    OnlineScale,
    PointReference,
    ScaleSettings,
)
from flashdepth_ros.runtime.setting_description import update
from support.scale_streams import (
    RATE_HZ,
    camera,
    down_axis,
    ground_view,
    stamp_at,
    true_points,
    view,
)

SETTINGS = ScaleSettings(scale_source='points')
FACTORS = (0.3, 0.7, 1.0, 3.0)
LIDAR = (0.1, -0.2, -0.3, 0.5, -0.5, 0.5, 0.5)


def points_in_lidar(seconds):
    to_lidar = np.linalg.inv(rigid(LIDAR))
    return true_points(seconds) @ to_lidar[:3, :3].T + to_lidar[:3, 3]


@pytest.mark.parametrize('factor', FACTORS)
def test_points_of_another_sensor_give_the_scale(factor):
    transforms, online = TransformBuffer(), OnlineScale()
    transforms.add('camera', 'lidar', 0, LIDAR, always=True)
    for index in range(10):
        seconds = index / RATE_HZ
        points = points_in_lidar(seconds)
        online.refer(PointReference.of(points, stamp_at(seconds), 'lidar', transforms))
        online.observe(view(seconds, factor, camera=camera()), index == 0, SETTINGS)
    assert online.status.scale.factor == pytest.approx(factor, rel=0.02)
    assert online.status.fit.inliers > 0.95


@pytest.mark.parametrize(
    ('known', 'turned', 'cause'),
    [
        (None, 1.0, 'no camera_info with a known lens'),
        (camera(), -1.0, 'no overlap: none of'),
    ],
)
def test_points_that_cannot_be_projected_are_named(known, turned, cause):
    transforms = TransformBuffer()
    points = turned * true_points(0.0)
    reference = PointReference.of(points, stamp_at(0.0), 'camera', transforms)
    with pytest.raises(InputError, match=cause):
        reference.samples(view(0.0, 1.0, camera=known), SETTINGS)
    elsewhere = replace(reference, frame_id='lidar')
    with pytest.raises(InputError, match="no transform from 'lidar' to 'camera'"):
        elsewhere.samples(view(0.0, 1.0, camera=camera()), SETTINGS)


HEIGHT = 0.4
OF_HEIGHT = ScaleSettings(scale_source='height', scale_camera_height=HEIGHT)


def follow_ground(views, settings=OF_HEIGHT, transforms=None):
    """Return the online scale after frames whose ground is their only reference."""
    online, ground = OnlineScale(), GroundObserver(transforms or TransformBuffer())
    for index, each in enumerate(views):
        reference = ground.reference(each, settings)
        if reference is not None:
            online.refer(reference)
        online.observe(each, index == 0, settings)
    return online


def upright(tilt):
    """Return transforms from base_link, whose z is up, to a camera of this pitch and roll."""
    up = -down_axis(tilt)
    forward = np.array([0.0, 0.0, 1.0]) - up[2] * up
    forward /= np.linalg.norm(forward)
    rotation = np.stack((forward, np.cross(up, forward), up))
    transforms = TransformBuffer()
    transforms.add('base_link', 'camera', 0, (0.1, 0.0, HEIGHT, *quaternion(rotation)), True)
    return transforms


def quaternion(rotation):
    """Return x, y, z, w of a rotation matrix, from its eigenvector of eigenvalue 1."""
    w = np.sqrt(max(1 + np.trace(rotation), 1e-12)) / 2
    skew = rotation - rotation.T
    return (*(np.array([skew[2, 1], skew[0, 2], skew[1, 0]]) / (4 * w)), w)


@pytest.mark.parametrize('noise', [0.0, 0.05, 0.1])
@pytest.mark.parametrize('tilt', [(0.0, 0.0), (0.15, 0.05), (0.25, -0.1)])
@pytest.mark.parametrize('factor', [0.3, 3.0])
def test_the_height_of_the_camera_gives_the_scale_among_obstacles(factor, tilt, noise):
    scene = {'height': HEIGHT, 'tilt': tilt, 'noise': noise}
    online = follow_ground(ground_view(index / RATE_HZ, factor, **scene) for index in range(20))
    assert online.status.scale.factor == pytest.approx(factor, rel=0.05)


@pytest.mark.parametrize('tilt', [(0.6, 0.0), (0.7, 0.3)])
def test_a_camera_that_looks_down_needs_the_direction_of_gravity(tilt):
    scene = {'height': HEIGHT, 'tilt': tilt}
    views = [ground_view(index / RATE_HZ, 2.0, **scene) for index in range(20)]
    assert upright(tilt).between('base_link', 'camera', 0)[:3, 2] == pytest.approx(
        -down_axis(tilt)
    )
    online = follow_ground(views, transforms=upright(tilt))
    assert online.status.scale.factor == pytest.approx(2.0, rel=0.05)
    alone = follow_ground(views).status
    assert alone.scale is None
    assert 'within 20 degrees of the down axis of a level camera (no transform' in alone.problem


def test_a_table_in_half_of_the_image_is_not_the_ground():
    views = [ground_view(i / RATE_HZ, 1.0, height=HEIGHT, table=0.6) for i in range(20)]
    assert follow_ground(views).status.scale.factor == pytest.approx(1.0, rel=0.05)


def test_without_ground_nothing_is_fitted():
    random = np.random.default_rng(0)
    inverse = random.uniform(0.2, 2.0, (120, 160)).astype(np.float32)
    wall = np.full((120, 160), 0.5, np.float32)
    for each in (inverse, wall, np.zeros_like(wall), np.full_like(wall, np.nan)):
        seen = FrameView.of(each, stamp_at(0.0), 'camera', camera())
        with pytest.raises(InputError, match='no ground plane'):
            GroundReference(0, down_axis((0.0, 0.0)), 'it').samples(seen, OF_HEIGHT)
    with pytest.raises(InputError, match='no camera_info'):
        GroundReference(0, down_axis((0.0, 0.0)), 'it').samples(view(0.0, 1.0), OF_HEIGHT)


@pytest.mark.parametrize('factor', [0.3, 3.0])
def test_the_height_gives_the_scale_of_a_simulated_recording(factor):
    views, heights, infos = [], [], []
    with BagReader(sample_recording()) as bag:
        for record in bag.records('/camera/camera_info', '/camera/depth_true', '/odom'):
            message = bag.message(record)
            if record.topic == '/odom':
                heights.append(message.pose.pose.position.z)
            elif record.topic == '/camera/camera_info':
                infos.append(Camera.read(message))
            else:
                inverse = (factor / read_depth(message)).astype(np.float32)
                stamp = message.header.stamp
                stamp_ns = stamp.sec * 10**9 + stamp.nanosec
                views.append(FrameView.of(inverse, stamp_ns, 'camera', infos[0]))
    settings = replace(OF_HEIGHT, scale_camera_height=float(np.median(heights)))
    online = follow_ground(views[:30], settings)
    assert online.status.scale.factor == pytest.approx(factor, rel=0.1)


def test_a_height_is_needed_and_gives_no_shift():
    with pytest.raises(ConfigError, match=r'needs scale\.camera_height'):
        update(ScaleSettings(), {'scale.source': 'height'})
    with pytest.raises(ConfigError, match='no shift'):
        update(OF_HEIGHT, {'scale.model': 'scale_shift'})
