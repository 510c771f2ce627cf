"""What an evaluation is made of: pairs, poses, a lidar's points in the picture, maps on disk."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from flashdepth_ros.bags import BagReader, BagWriter, build_message, header
from flashdepth_ros.camera.geometry import Intrinsics, back_project, rays
from flashdepth_ros.camera.sampling import sampled, thinned, thinned_intrinsics
from flashdepth_ros.errors import BagError, InputError
from flashdepth_ros.evaluation.alignment import Fit
from flashdepth_ros.evaluation.lidar import depth_of_points, read_points
from flashdepth_ros.evaluation.pairing import Pair, paired
from flashdepth_ros.evaluation.protocol import Protocol
from flashdepth_ros.evaluation.stack import Stack
from flashdepth_ros.evaluation.transforms import TransformTree, read_transforms, rigid
from flashdepth_ros.evaluation.truth import LidarPoints, View
from support.evaluation_bags import CAMERA, CAMERA_64, HEIGHT, WIDTH, cloud, wall_depth

STILL = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize('tolerance', [0, 3, 1000])
def test_pairs_are_nearest_within_the_tolerance_and_none_counts_twice(tolerance):
    rng = np.random.default_rng(5)
    for _ in range(30):
        frames, truths = (rng.choice(200, rng.integers(1, 30), replace=False) for _ in range(2))
        pairs = paired(frames.tolist(), truths.tolist(), tolerance)
        assert pairs == sorted(pairs)
        for side in zip(*pairs, strict=True):
            assert len(side) == len(set(side))
        for frame, truth in pairs:
            assert abs(frame - truth) <= tolerance
            assert abs(frame - truth) == np.abs(frames - truth).min()
        unpaired = set(truths.tolist()) - {truth for _, truth in pairs}
        taken = dict(pairs)
        for truth in unpaired:
            near = np.abs(frames - truth)
            nearest = int(frames[near == near.min()].min())
            assert near.min() > tolerance or abs(taken[nearest] - nearest) <= near.min()


def test_faster_truth_and_slower_truth_pair_alike():
    fast, slow = range(0, 100, 5), range(1, 100, 20)
    pairs = [(1, 0), (21, 20), (41, 40), (61, 60), (81, 80)]
    assert paired(slow, fast, 2) == pairs
    assert [(truth, frame) for frame, truth in paired(fast, slow, 2)] == pairs
    assert paired([], fast, 2) == paired(fast, [], 2) == []


def test_maps_come_back_from_disk_in_any_order(tmp_path):
    maps = np.random.default_rng(0).random((5, 3, 4)).astype(np.float32)
    stack = Stack(tmp_path / 'maps', (3, 4), np.float32)
    for index in (3, 0, 4):
        stack[index] = maps[index]
    assert [index in stack for index in range(5)] == [True, False, False, True, True]
    assert len(stack) == 3
    for index in (4, 3, 0):
        np.testing.assert_array_equal(stack[index], maps[index])
    stack.close()


def turned(axis, angle):
    return (*(np.sin(angle / 2) * np.asarray(axis, float)), np.cos(angle / 2))


def test_poses_are_interpolated_on_the_shortest_way():
    tree = TransformTree()
    tree.add('odom', '/base', 0, (0.0, 0.0, 0.0, *turned([0, 0, 1], 0.0)))
    # The same turn with all signs changed.
    tree.add('odom', 'base', 100, (2.0, 0.0, 0.0, *(-np.array(turned([0, 0, 1], 1.0)))))
    tree.add('base', 'lens', 0, (0.0, 1.0, 0.0, *STILL[3:]))
    assert tree.root('lens') == 'odom'
    assert tree.moves('lens')
    expected = rigid((0.5, 0.0, 0.0, *turned([0, 0, 1], 0.25))) @ rigid((0, 1, 0, *STILL[3:]))
    np.testing.assert_allclose(tree.pose('lens', 25), expected, atol=1e-12)
    assert tree.pose('lens', 10**9) is None
    assert not tree.moves('elsewhere')
    np.testing.assert_array_equal(tree.pose('elsewhere', 0), np.eye(4))


def test_frames_above_themselves_do_not_hang():
    tree = TransformTree()
    tree.add('a', 'b', 0, STILL)
    tree.add('b', 'a', 0, STILL)
    assert tree.root('a') == 'b'


def transforms(*frames):
    return build_message(
        'tf2_msgs/msg/TFMessage',
        transforms=[
            build_message(
                'geometry_msgs/msg/TransformStamped',
                header=header(stamp_ns, parent),
                child_frame_id=child,
                transform={
                    'translation': dict(zip('xyz', pose[:3], strict=True)),
                    'rotation': dict(zip('xyzw', pose[3:], strict=True)),
                },
            )
            for parent, child, stamp_ns, pose in frames
        ],
    )


#: A lidar's axes: x forward, y left, z up; seen from the camera it lies 0.1 m above.
LIDAR_IN_CAMERA = (0.0, -0.1, 0.0, 0.5, -0.5, 0.5, 0.5)


def seen_by_lidar():
    """Return the wall's points (N, 3) in the lidar's frame."""
    points = back_project(wall_depth(0), rays(CAMERA_64)).reshape(-1, 3)
    to_lidar = np.linalg.inv(rigid(LIDAR_IN_CAMERA))
    return points @ to_lidar[:3, :3].T + to_lidar[:3, 3]


@pytest.mark.parametrize('by', ['tf', 'hand'])
def test_a_lidar_falls_on_the_pixels_it_sees(tmp_path, by):
    with BagWriter(tmp_path / 'bag') as writer:
        placed = ('base', CAMERA, 0, STILL), (CAMERA, 'lidar', 0, LIDAR_IN_CAMERA)
        writer.write('/tf_static', transforms(*placed), 0)
        writer.write('/points', cloud(seen_by_lidar()), 0)
    with BagReader(tmp_path / 'bag') as bag:
        view = View((HEIGHT, WIDTH), CAMERA, CAMERA_64)
        truth = LidarPoints(bag, bag.topic('/points'), view, Protocol())
        truth.placed(read_transforms(bag), LIDAR_IN_CAMERA if by == 'hand' else ())
        assert truth.shape == (HEIGHT, WIDTH)
        ((index, depth),) = truth.maps([Pair(0, 0)])
        assert index == 0
        np.testing.assert_allclose(depth, wall_depth(0), rtol=1e-5)
        with pytest.raises(BagError, match=r"does not connect 'lidar' to 'camera.*--lidar-pose"):
            list(truth.placed(TransformTree(), ()).maps([Pair(0, 0)]))


def test_what_only_the_lidar_sees_is_no_truth():
    near, far = (np.array([[0.0, 0.0, z], [0.02 * z, 0.0, z]]) for z in (2.0, 8.0))
    depth = depth_of_points(np.concatenate([near, far]), CAMERA_64, (HEIGHT, WIDTH), 1)
    assert set(depth[np.isfinite(depth)].tolist()) == {2.0}
    behind = np.array([[0.0, 0.0, -1.0], [9.0, 0.0, 1.0]])
    assert np.isnan(depth_of_points(behind, CAMERA_64, (HEIGHT, WIDTH), 1)).all()


def test_clouds_that_cannot_be_read_are_refused():
    points = np.array([[1.0, 2.0, 3.0], [np.nan, 0.0, 0.0]])
    whole = cloud(points)
    np.testing.assert_array_equal(read_points(whole), points[:1])
    short = SimpleNamespace(**{name: getattr(whole, name) for name in whole.__dataclass_fields__})
    short.data = whole.data[:20]
    with pytest.raises(InputError, match='cut off'):
        read_points(short)
    short.fields = whole.fields[:2]
    with pytest.raises(InputError, match='x, y and z are needed'):
        read_points(short)


def test_beyond_infinity_is_as_far_as_the_limit():
    inverse = np.array([-1.0, 0.0, 0.05, 0.5, 100.0, np.nan], np.float32)
    depth = Fit().depth(inverse, 0.5, 10.0)
    np.testing.assert_allclose(depth, [10.0, 10.0, 10.0, 2.0, 0.5, np.nan])
    np.testing.assert_allclose(Fit(2.0, 0.1).depth(inverse[3:4], 0.5, 10.0), 1 / 1.1)


def test_sampling_keeps_places():
    height, width = 24, 32
    columns = np.mgrid[:height, :width][1].astype(np.float32)
    for stride in (1, 2, 3, 4):
        small = thinned(columns, stride)
        if width % stride == 0:
            np.testing.assert_array_equal(sampled(columns, small.shape), small)
        camera = Intrinsics(width, height, 30.0, 30.0, 15.5, 11.5)
        thin = thinned_intrinsics(camera, stride)
        assert small.shape == (thin.height, thin.width)
        seen = (small[0] - camera.cx) / camera.fx
        np.testing.assert_allclose((np.arange(thin.width) - thin.cx) / thin.fx, seen)
    larger = sampled(columns, (2 * height, 2 * width))
    np.testing.assert_allclose(larger[5, 1:-1], (np.arange(2 * width) + 0.5)[1:-1] / 2 - 0.5)
    with pytest.raises(InputError, match='other proportions'):
        sampled(columns, (height, height))


def test_a_tie_of_stamps_is_one_pair():
    for order in itertools.permutations([5, 5, 9]):
        assert paired(order, [5, 9, 9], 1) == [Pair(5, 5), Pair(9, 9)]
