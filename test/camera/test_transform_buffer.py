"""Transforms as they arrive: laws of the buffer."""

import numpy as np
import pytest

from flashdepth_ros.camera.pose import rigid
from flashdepth_ros.camera.transform_buffer import TransformBuffer
from flashdepth_ros.errors import InputError

S = 10**9
HALF = np.sqrt(0.5)
BASE = (1.0, 2.0, 0.0, 0.0, 0.0, HALF, HALF)
CAMERA = (0.1, 0.0, 0.5, -0.5, 0.5, -0.5, 0.5)
LIDAR = (-0.1, 0.0, 0.6, 0.0, 0.0, 0.0, 1.0)


@pytest.fixture
def buffer():
    buffer = TransformBuffer()
    buffer.add('odom', '/base', 10 * S, BASE, always=False)
    buffer.add('base', 'camera', 0, CAMERA, always=True)
    buffer.add('/base', 'lidar', 0, LIDAR, always=True)
    return buffer


def test_transforms_compose_along_the_tree(buffer):
    now = 10 * S
    between = buffer.between('lidar', 'camera', now)
    np.testing.assert_allclose(between, np.linalg.inv(rigid(CAMERA)) @ rigid(LIDAR), atol=1e-12)
    there, back = (buffer.between(*pair, now) for pair in (('lidar', 'odom'), ('odom', 'lidar')))
    np.testing.assert_allclose(there @ back, np.eye(4), atol=1e-12)
    through = buffer.between('odom', 'camera', now) @ there
    np.testing.assert_allclose(through, between, atol=1e-12)
    np.testing.assert_array_equal(buffer.between('x', '/x', 0), np.eye(4))


def test_static_transforms_hold_at_all_times_and_others_near_their_samples(buffer):
    buffer.between('lidar', 'camera', 10**15)
    buffer.between('camera', 'odom', 10 * S + S // 20)
    with pytest.raises(InputError, match=r'0\.20 s after the last one on /tf'):
        buffer.between('camera', 'odom', 10 * S + S // 5)


def test_moving_frames_are_interpolated(buffer):
    buffer.add('odom', 'base', 11 * S, (3.0, 2.0, 0.0, *BASE[3:]), always=False)
    assert buffer.between('base', 'odom', 10 * S + S // 2)[0, 3] == pytest.approx(2.0)
    # A late sample is put in its place.
    buffer.add('odom', 'base', 10 * S + S // 2, (9.0, 2.0, 0.0, *BASE[3:]), always=False)
    assert buffer.between('base', 'odom', 10 * S + S // 4)[0, 3] == pytest.approx(5.0)


def test_old_samples_are_forgotten_and_time_may_go_back(buffer):
    for second in range(11, 40):
        buffer.add('odom', 'base', second * S, (float(second), *BASE[1:]), always=False)
    with pytest.raises(InputError, match='before the last one'):
        buffer.between('base', 'odom', 20 * S)
    buffer.add('odom', 'base', 5 * S, BASE, always=False)
    assert buffer.between('base', 'odom', 5 * S)[0, 3] == pytest.approx(1.0)


def test_frames_that_are_not_connected_and_bad_poses_are_named_or_ignored(buffer):
    with pytest.raises(InputError, match=r'do not connect them .*base, camera, lidar'):
        buffer.between('lidar', 'elsewhere', 0)
    buffer.add('odom', 'broken', 0, (0.0,) * 7, always=True)
    buffer.add('odom', 'broken', 0, (np.nan, *LIDAR[1:]), always=True)
    with pytest.raises(InputError, match='do not connect'):
        buffer.between('broken', 'odom', 0)


def test_a_cycle_of_frames_ends():
    buffer = TransformBuffer()
    buffer.add('a', 'b', 0, LIDAR, always=True)
    buffer.add('b', 'a', 0, LIDAR, always=True)
    with pytest.raises(InputError):
        buffer.between('a', 'c', 0)
