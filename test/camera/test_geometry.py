import math

import cv2
import numpy as np
import pytest

from flashdepth_ros.camera.geometry import (
    Intrinsics,
    back_project,
    depth_from_inverse,
    edge_mask,
    invert,
    project,
    rays,
)
from flashdepth_ros.errors import ConfigError, InputError

INF, NAN = math.inf, math.nan

CAMERAS = {
    'pinhole': Intrinsics(640, 480, 500.0, 510.0, 321.5, 238.2),
    'webcam': Intrinsics(
        640, 480, 430.0, 432.0, 322.0, 238.0, 'plumb_bob', (-0.35, 0.14, 8e-4, -6e-4, -0.02)
    ),
    'four coefficients': Intrinsics(
        320, 200, 180.0, 181.0, 160.0, 99.0, 'plumb_bob', (-0.28, 0.07, -1e-3, 5e-4)
    ),
    'pincushion': Intrinsics(
        511, 287, 375.0, 375.0, 250.0, 150.0, 'plumb_bob', (0.3, 0.2, 1e-3, 1e-3, 0.0)
    ),
    'depth camera': Intrinsics(
        1280,
        720,
        607.0,
        607.0,
        640.0,
        362.0,
        'rational_polynomial',
        (0.45, -2.6, 6e-4, -2e-4, 1.5, 0.33, -2.4, 1.43),
    ),
    'fisheye': Intrinsics(
        848, 800, 286.0, 286.0, 423.0, 398.0, 'equidistant', (-8e-3, 0.045, -0.042, 8e-3)
    ),
    'ideal fisheye': Intrinsics(
        640, 480, 200.0, 200.0, 320.0, 240.0, 'equidistant', (0.0, 0.0, 0.0, 0.0)
    ),
}
SEE_ALL = [name for name in CAMERAS if 'fisheye' not in name]


def pixels(camera, stride=1):
    v, u = np.mgrid[0 : camera.height : stride, 0 : camera.width : stride]
    return np.stack((u, v), axis=-1)


def random_depth(shape):
    return np.random.default_rng(7).uniform(0.2, 80.0, shape).astype(np.float32)


@pytest.mark.parametrize('stride', [1, 3, 4])
@pytest.mark.parametrize('name', CAMERAS)
def test_back_projected_points_reproject_to_their_pixels(name, stride):
    camera = CAMERAS[name]
    directions = rays(camera, stride)
    expected = pixels(camera, stride)
    assert directions.shape == expected.shape
    assert directions.dtype == np.float32
    points = back_project(random_depth(expected.shape[:2]), directions)
    error = np.linalg.norm(project(points, camera) - expected, axis=-1)
    assert np.nanmax(error) < 1e-3
    assert np.isfinite(error).all() == (name in SEE_ALL)


def test_a_ray_exists_exactly_where_the_fisheye_looks_forward():
    camera = CAMERAS['ideal fisheye']
    radius = np.linalg.norm((pixels(camera) - (camera.cx, camera.cy)) / camera.fx, axis=-1)
    known = np.isfinite(rays(camera)).all(axis=-1)
    assert known[radius < math.radians(89.9)].all()
    assert not known[radius > math.radians(89.9)].any()


def test_an_ideal_fisheye_turns_radius_into_angle():
    camera = CAMERAS['ideal fisheye']
    angle = math.radians(60)
    pixel = project(np.array([math.sin(angle), 0.0, math.cos(angle)]), camera)
    np.testing.assert_allclose(pixel, [camera.cx + camera.fx * angle, camera.cy])


@pytest.mark.parametrize('name', CAMERAS)
@pytest.mark.parametrize('factor', [2, 0.5])
def test_resizing_keeps_the_ray_of_a_place_in_the_picture(name, factor):
    camera = CAMERAS[name]
    resized = camera.resized(int(camera.width * factor), int(camera.height * factor))
    scale = np.array([resized.width / camera.width, resized.height / camera.height])
    points = np.random.default_rng(1).normal((0.0, 0.0, 3.0), 0.4, (50, 3))
    before, after = project(points, camera), project(points, resized)
    np.testing.assert_allclose((before + 0.5) * scale - 0.5, after, atol=1e-9)


@pytest.mark.parametrize('name', CAMERAS)
def test_a_pixel_of_the_smaller_picture_looks_between_its_four(name):
    camera = CAMERAS[name]
    camera = camera.cropped(int(camera.cx) - 80, int(camera.cy) - 60, 160, 120)
    whole = rays(camera.resized(320, 240)).reshape(120, 2, 160, 2, 2)
    middle = whole[:, 0, :, 0] + whole[:, 1, :, 1]
    np.testing.assert_allclose(rays(camera), middle / 2, atol=1e-4)


def test_resizing_there_and_back_changes_nothing():
    camera = CAMERAS['depth camera']
    back = camera.resized(333, 217).resized(camera.width, camera.height)
    np.testing.assert_allclose(back.matrix, camera.matrix, rtol=1e-12)
    assert back.distortion == camera.distortion


@pytest.mark.parametrize('name', CAMERAS)
def test_cropping_takes_the_same_rays(name):
    window = CAMERAS[name].cropped(40, 30, 100, 80)
    expected = rays(CAMERAS[name])[30:110, 40:140]
    np.testing.assert_allclose(rays(window), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('name', CAMERAS)
def test_points_project_as_in_opencv(name):
    camera = CAMERAS[name]
    points = np.random.default_rng(3).uniform((-0.5, -0.4, 0.9), (0.5, 0.4, 3.0), (1, 40, 3))
    model = cv2.fisheye if camera.distortion_model == 'equidistant' else cv2
    still = np.zeros(3)
    expected, _ = model.projectPoints(
        points, still, still, camera.matrix, np.array(camera.distortion)
    )
    np.testing.assert_allclose(project(points[0], camera), expected.reshape(-1, 2), atol=1e-6)


def test_matrix_projects_as_project_does():
    camera = CAMERAS['pinhole']
    point = np.array([0.3, -0.2, 2.0])
    u, v, w = camera.matrix @ point
    np.testing.assert_allclose(project(point, camera), [u / w, v / w])


def test_points_behind_or_folded_in_by_the_model_have_no_pixel():
    camera = CAMERAS['webcam']
    behind = project(np.array([[0.0, 0.0, -1.0], [0.1, 0.1, 0.0]]), camera)
    assert np.isnan(behind).all()
    barrel = Intrinsics(640, 480, 400.0, 400.0, 320.0, 240.0, 'plumb_bob', (-0.3, 0, 0, 0))
    fold = 1 / math.sqrt(0.9)
    assert np.isfinite(project(np.array([0.99 * fold, 0.0, 1.0]), barrel)).all()
    assert np.isnan(project(np.array([1.01 * fold, 0.0, 1.0]), barrel)).all()


def test_a_pixel_the_model_cannot_reach_has_no_ray():
    # The distorted radius of this barrel peaks at 2/3 of that of the fold, 281 px off the centre.
    barrel = Intrinsics(700, 480, 400.0, 400.0, 320.0, 240.0, 'plumb_bob', (-0.3, 0, 0, 0))
    row = rays(barrel)[240, :, 0]
    assert np.isfinite(row[320 - 281 : 320 + 281]).all()
    assert np.isnan(row[320 + 282 :]).all()
    assert (np.diff(row[320 - 281 : 320 + 281]) > 0).all()


def test_unknown_depth_has_no_point():
    directions = np.ones((1, 6, 2), np.float32)
    depth = np.array([[NAN, INF, -INF, 0.0, -1.0, 2.0]], np.float32)
    points = back_project(depth, directions)
    assert points.dtype == np.float32
    assert np.isnan(points[0, :5]).all()
    np.testing.assert_array_equal(points[0, 5], [2.0, 2.0, 2.0])


def test_back_projection_refuses_rays_of_another_size():
    with pytest.raises(InputError, match=r'\(4, 5\).*\(2, 3, 2\)'):
        back_project(np.ones((4, 5), np.float32), np.ones((2, 3, 2), np.float32))


def test_inverting_twice_gives_the_value_back():
    values = np.array([0.0, INF, NAN, 0.25, 8.0], np.float32)
    np.testing.assert_array_equal(invert(invert(values)), values)
    np.testing.assert_array_equal(invert(values), [INF, 0.0, NAN, 4.0, 0.125])
    assert invert(np.array([-0.0], np.float32))[0] == INF


def test_depth_carries_the_special_values_of_rep_117():
    inverse_depth = np.array([NAN, 0.0, -0.0, -1e-4, 0.005, 0.01, 1.0, 10.0, 11.0, INF])
    depth = depth_from_inverse(inverse_depth, minimum=0.1, maximum=100.0)
    assert depth.dtype == np.float32
    expected = [NAN, INF, INF, INF, INF, 100.0, 1.0, 0.1, -INF, -INF]
    np.testing.assert_allclose(depth, expected, rtol=1e-6)


def test_scale_multiplies_depth_before_the_limits():
    inverse_depth = np.array([0.5, 1.0, 4.0], np.float32)
    depth = depth_from_inverse(inverse_depth, 3.0, 1.0, 5.0)
    np.testing.assert_array_equal(depth, np.array([INF, 3.0, -INF], np.float32))


def test_without_limits_depth_is_the_inverse():
    inverse_depth = np.array([0.0, 0.001, 1.0, 300.0], np.float32)
    np.testing.assert_array_equal(depth_from_inverse(inverse_depth), invert(inverse_depth))


@pytest.mark.parametrize(
    'limits', [(0.0, 0.1, 9.0), (-1.0, 0.1, 9.0), (1.0, 9.0, 0.1), (1.0, -1.0, 9.0), (NAN, 0, 1)]
)
def test_depth_limits_that_make_no_sense_are_refused(limits):
    with pytest.raises(ConfigError, match='minimum < maximum'):
        depth_from_inverse(np.ones((1, 1), np.float32), *limits)


def test_edges_are_marked_on_both_sides_and_nowhere_else():
    depth = np.full((5, 7), 2.0, np.float32)
    depth[2:, 3:] = 3.0
    expected = np.zeros((5, 7), bool)
    expected[2:, 2:4] = True
    expected[1:3, 3:] = True
    np.testing.assert_array_equal(edge_mask(depth, 0.4), expected)
    assert not edge_mask(depth, 0.6).any()


def test_edges_do_not_depend_on_the_order_of_the_axes():
    depth = random_depth((20, 30))
    mask = edge_mask(depth, 0.5)
    np.testing.assert_array_equal(edge_mask(depth.T, 0.5), mask.T)
    np.testing.assert_array_equal(edge_mask(depth[::-1, ::-1], 0.5), mask[::-1, ::-1])


@pytest.mark.parametrize('stride', [1, 2, 3, 4, 7])
@pytest.mark.parametrize('shape', [(20, 30), (21, 29), (1, 1), (2, 9), (8, 3)])
def test_edges_at_a_stride_are_those_of_every_pixel(shape, stride):
    depth = random_depth(shape)
    expected = edge_mask(depth, 0.5)[::stride, ::stride]
    np.testing.assert_array_equal(edge_mask(depth, 0.5, stride), expected)


@pytest.mark.parametrize(
    ('first', 'second', 'edge'),
    [
        (1.0, 1.09, False),
        (1.0, 1.11, True),
        (5.0, INF, True),
        (5.0, -INF, True),
        (INF, -INF, True),
        (INF, INF, False),
        (-INF, -INF, False),
        (5.0, NAN, False),
        (NAN, INF, False),
    ],
)
def test_edges_between_two_pixels(first, second, edge):
    pair = np.array([[first, second]], np.float32)
    assert edge_mask(pair, 0.1).tolist() == [[edge, edge]]
    assert edge_mask(pair[:, ::-1], 0.1).tolist() == [[edge, edge]]
