"""Parts of an evaluation: poses, lidar points projected into the image, maps on disk."""

from types import SimpleNamespace

import numpy as np
import pytest

from flashdepth_ros.bags import BagReader, BagWriter
from flashdepth_ros.bags.track import Entry
from flashdepth_ros.bags.view import View
from flashdepth_ros.camera.geometry import Intrinsics, back_project, rays
from flashdepth_ros.camera.pose import rigid
from flashdepth_ros.camera.projection import depth_of_points
from flashdepth_ros.camera.sampling import has_aspect, resample, subsample, subsampled_intrinsics
from flashdepth_ros.errors import BagError, InputError
from flashdepth_ros.evaluation.alignment import Fit
from flashdepth_ros.evaluation.map_file import MapFile
from flashdepth_ros.evaluation.pairing import Pair
from flashdepth_ros.evaluation.projected_points import ProjectedPoints, lidar_points
from flashdepth_ros.evaluation.protocol import Protocol
from flashdepth_ros.evaluation.transforms import TransformTree, read_transforms
from flashdepth_ros.messages import read_points
from support.evaluation_bags import (
    CAMERA,
    CAMERA_64,
    HEIGHT,
    WIDTH,
    cloud,
    transforms,
    wall_depth,
)

IDENTITY = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def test_maps_are_read_from_disk_in_any_order(tmp_path):
    maps = np.random.default_rng(0).random((5, 3, 4)).astype(np.float32)
    file = MapFile(tmp_path / 'maps', (3, 4), np.float32)
    for index in (3, 0, 4):
        file[index] = maps[index]
    assert [index in file for index in range(5)] == [True, False, False, True, True]
    assert len(file) == 3
    for index in (4, 3, 0):
        np.testing.assert_array_equal(file[index], maps[index])
    file.close()


def quaternion(axis, angle):
    return (*(np.sin(angle / 2) * np.asarray(axis, float)), np.cos(angle / 2))


def add(tree, parent, child, stamp_ns, pose, recorded_ns=None):
    tree.add((parent, child), (stamp_ns, stamp_ns if recorded_ns is None else recorded_ns), pose)


def test_poses_are_interpolated_along_the_shortest_rotation():
    tree = TransformTree()
    add(tree, 'odom', '/base', 0, (0.0, 0.0, 0.0, *quaternion([0, 0, 1], 0.0)))
    # The same rotation as a quaternion with the opposite sign.
    add(tree, 'odom', 'base', 100, (2.0, 0.0, 0.0, *(-np.array(quaternion([0, 0, 1], 1.0)))))
    add(tree, 'base', 'lens', 0, (0.0, 1.0, 0.0, *IDENTITY[3:]))
    assert tree.root('lens') == 'odom'
    assert tree.moves('lens')
    expected = rigid((0.5, 0.0, 0.0, *quaternion([0, 0, 1], 0.25))) @ rigid(
        (0, 1, 0, *IDENTITY[3:])
    )
    np.testing.assert_allclose(tree.pose('lens', 25, 25), expected, atol=1e-12)
    assert tree.pose('lens', 10**9, 10**9) is None
    assert not tree.moves('elsewhere')
    np.testing.assert_array_equal(tree.pose('elsewhere', 0, 0), np.eye(4))


def test_a_cycle_of_frames_does_not_cause_an_endless_loop():
    tree = TransformTree()
    add(tree, 'a', 'b', 0, IDENTITY)
    add(tree, 'b', 'a', 0, IDENTITY)
    assert tree.root('a') == 'b'


#: Pose of a lidar (x forward, y left, z up) 0.1 m above the camera, in the optical frame.
LIDAR_IN_CAMERA = (0.0, -0.1, 0.0, 0.5, -0.5, 0.5, 0.5)


def points_of_lidar():
    """Return points (N, 3) of the wall in the frame of the lidar."""
    points = back_project(wall_depth(0), rays(CAMERA_64)).reshape(-1, 3)
    to_lidar = np.linalg.inv(rigid(LIDAR_IN_CAMERA))
    return points @ to_lidar[:3, :3].T + to_lidar[:3, 3]


@pytest.mark.parametrize('pose_source', ['tf', 'option'])
def test_lidar_points_are_projected_to_their_pixels(tmp_path, pose_source):
    with BagWriter(tmp_path / 'bag') as writer:
        static = ('base', CAMERA, 0, IDENTITY), (CAMERA, 'lidar', 0, LIDAR_IN_CAMERA)
        writer.write('/tf_static', transforms(*static), 0)
        writer.write('/points', cloud(points_of_lidar()), 0)
    entry = Entry(0, 0, 0, 0)
    pair = Pair(entry, entry, 0, 1)
    with BagReader(tmp_path / 'bag') as bag:
        view = View('/image', (HEIGHT, WIDTH), CAMERA, CAMERA_64)

        def projected(tree, pose):
            source = lidar_points(bag, bag.topic('/points'), view, tree, pose)
            return ProjectedPoints(source, Protocol())

        pose = LIDAR_IN_CAMERA if pose_source == 'option' else ()
        lidar = projected(read_transforms(bag), pose)
        assert lidar.shape == (HEIGHT, WIDTH)
        ((index, depth),) = lidar.maps([pair])
        assert index == 0
        np.testing.assert_allclose(depth, wall_depth(0), rtol=1e-5)
        with pytest.raises(BagError, match=r"does not connect 'lidar' to 'camera.*--lidar-pose"):
            list(projected(TransformTree(), ()).maps([pair]))


def test_points_occluded_from_the_camera_are_left_out():
    near, far = (np.array([[0.0, 0.0, z], [0.02 * z, 0.0, z]]) for z in (2.0, 8.0))
    depth = depth_of_points(np.concatenate([near, far]), CAMERA_64, (HEIGHT, WIDTH), 1)
    assert set(depth[np.isfinite(depth)].tolist()) == {2.0}
    behind = np.array([[0.0, 0.0, -1.0], [9.0, 0.0, 1.0]])
    assert np.isnan(depth_of_points(behind, CAMERA_64, (HEIGHT, WIDTH), 1)).all()


def test_invalid_point_clouds_are_rejected():
    points = np.array([[1.0, 2.0, 3.0], [np.nan, 0.0, 0.0]])
    complete = cloud(points)
    np.testing.assert_array_equal(read_points(complete), points[:1])
    truncated = SimpleNamespace(
        **{name: getattr(complete, name) for name in complete.__dataclass_fields__}
    )
    truncated.data = complete.data[:20]
    with pytest.raises(InputError, match='truncated'):
        read_points(truncated)
    truncated.fields = complete.fields[:2]
    with pytest.raises(InputError, match='expected x, y and z'):
        read_points(truncated)


def test_inverse_depth_of_zero_or_less_is_clipped_to_the_far_limit():
    inverse = np.array([-1.0, 0.0, 0.05, 0.5, 100.0, np.nan], np.float32)
    depth = Fit().depth(inverse, 0.5, 10.0)
    np.testing.assert_allclose(depth, [10.0, 10.0, 10.0, 2.0, 0.5, np.nan])
    np.testing.assert_allclose(Fit(2.0, 0.1).depth(inverse[3:4], 0.5, 10.0), 1 / 1.1)


def test_sampling_keeps_positions():
    height, width = 24, 32
    columns = np.mgrid[:height, :width][1].astype(np.float32)
    for stride in (1, 2, 3, 4):
        small = subsample(columns, stride)
        if width % stride == 0:
            np.testing.assert_array_equal(resample(columns, small.shape), small)
        camera = Intrinsics(width, height, 30.0, 30.0, 15.5, 11.5)
        thin = subsampled_intrinsics(camera, stride)
        assert small.shape == (thin.height, thin.width)
        expected = (small[0] - camera.cx) / camera.fx
        np.testing.assert_allclose((np.arange(thin.width) - thin.cx) / thin.fx, expected)
    larger = resample(columns, (2 * height, 2 * width))
    np.testing.assert_allclose(larger[5, 1:-1], (np.arange(2 * width) + 0.5)[1:-1] / 2 - 0.5)
    with pytest.raises(InputError, match='different aspect ratios'):
        resample(columns, (height, height))


@pytest.mark.parametrize(
    ('option', 'aligned'), [('none', 'scale_shift'), ('scale', 'scale'), ('frame', 'frame')]
)
def test_the_headline_always_has_an_aligned_column(option, aligned):
    assert Protocol(alignment=option).fitted == aligned


def test_poses_of_a_restarted_clock_are_of_the_run_of_the_image():
    tree = TransformTree()
    for run, start_ns in enumerate((0, 10**10)):
        for index in range(8):
            pose = (100.0 * run + index, 0.0, 0.0, *IDENTITY[3:])
            add(tree, 'odom', 'base', index * 10**8, pose, start_ns + index * 10**8)
    for run, start_ns in enumerate((0, 10**10)):
        # Also if the image was recorded a little before the first pose of its run.
        for stamp_ns, recorded_ns in ((0, start_ns - 10**6), (25 * 10**7, start_ns + 25 * 10**7)):
            expected = 100.0 * run + stamp_ns * 1e-8
            for time_ns in (stamp_ns, None):
                found = tree.pose('base', time_ns, recorded_ns)
                assert found is not None
                assert found[0, 3] == pytest.approx(expected, abs=0.02)


def test_poses_without_stamps_are_those_of_the_time_of_recording():
    tree = TransformTree()
    for index in range(4):
        add(tree, 'odom', 'base', 0, (float(index), 0.0, 0.0, *IDENTITY[3:]), index * 10**8)
    assert tree.moves('base')
    for time_ns in (None, 7):
        assert tree.pose('base', time_ns, 15 * 10**7)[0, 3] == pytest.approx(1.5)


def test_static_transforms_that_are_published_again_are_static(tmp_path):
    with BagWriter(tmp_path / 'bag') as writer:
        for stamp_ns in (0, 5 * 10**9):
            pose = ('base', 'lens', stamp_ns, (0.0, 1.0, 0.0, *IDENTITY[3:]))
            writer.write('/robot/tf_static', transforms(pose), stamp_ns)
            writer.write_cdr('/robot/tf_static', 'tf2_msgs/msg/TFMessage', b'\0\1', stamp_ns)
    with BagReader(tmp_path / 'bag') as bag:
        tree = read_transforms(bag)
    assert not tree.moves('lens')
    assert tree.pose('lens', 9 * 10**9, 0)[1, 3] == 1.0
    assert tree.constant('lens', 'base')[1, 3] == 1.0
    assert tree.constant('base', 'lens')[1, 3] == -1.0
    assert tree.constant('lens', 'elsewhere') is None


@pytest.mark.parametrize(
    ('size', 'shape', 'fits'),
    [
        ((98, 126), (480, 640), True),
        ((98, 70), (98, 70), True),
        ((98, 182), (720, 1280), True),
        ((480, 640), (98, 126), True),
        ((98, 154), (480, 640), False),
        ((98, 120), (480, 640), False),
        ((480, 640), (480, 848), False),
    ],
)
def test_sizes_rounded_as_for_a_network_are_of_one_view(size, shape, fits):
    assert has_aspect(size, shape) == fits
