"""References of the online scale that are no depth images."""

from dataclasses import replace

import numpy as np
import pytest

from flashdepth_ros.camera.pose import rigid
from flashdepth_ros.camera.transform_buffer import TransformBuffer
from flashdepth_ros.errors import InputError
from flashdepth_ros.runtime.scale import OnlineScale, PointReference, ScaleSettings
from support.scale_streams import RATE_HZ, camera, stamp_at, true_points, view

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
