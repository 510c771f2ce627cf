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
    'tilted sensor': Intrinsics(
        640,
        480,
        520.0,
        524.0,
        318.0,
        243.0,
        'rational_polynomial',
        (0.2, -0.1, 8e-4, 6e-4, 0.02, 0.3, -0.05, 0.01, 4e-3, -2e-3, -3e-3, 1e-3, 0.03, -0.02),
    ),
    'fisheye': Intrinsics(
        848, 800, 286.0, 286.0, 423.0, 398.0, 'equidistant', (-8e-3, 0.045, -0.042, 8e-3)
    ),
    'ideal fisheye': Intrinsics(
        640, 480, 200.0, 200.0, 320.0, 240.0, 'equidistant', (0.0, 0.0, 0.0, 0.0)
    ),
}
VALID = {'width': 640, 'height': 480, 'fx': 500.0, 'fy': 500.0, 'cx': 320.0, 'cy': 240.0}
FULL_VIEW = [name for name in CAMERAS if 'fisheye' not in name]


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
    assert np.isfinite(error).all() == (name in FULL_VIEW)


@pytest.mark.parametrize('name', CAMERAS)
@pytest.mark.parametrize('factor', [2, 0.5])
def test_resizing_keeps_the_rays_of_the_image_content(name, factor):
    camera = CAMERAS[name]
    resized = camera.resized(int(camera.width * factor), int(camera.height * factor))
    scale = np.array([resized.width / camera.width, resized.height / camera.height])
    points = np.random.default_rng(1).normal((0.0, 0.0, 3.0), 0.4, (50, 3))
    before, after = project(points, camera), project(points, resized)
    np.testing.assert_allclose((before + 0.5) * scale - 0.5, after, atol=1e-9)


@pytest.mark.parametrize('name', CAMERAS)
def test_halved_pixel_has_the_mean_ray_of_its_four_pixels(name):
    camera = CAMERAS[name]
    camera = camera.cropped(int(camera.cx) - 80, int(camera.cy) - 60, 160, 120)
    full = rays(camera.resized(320, 240)).reshape(120, 2, 160, 2, 2)
    total = full[:, 0, :, 0] + full[:, 1, :, 1]
    np.testing.assert_allclose(rays(camera), total / 2, atol=1e-4)


def test_resizing_back_restores_the_intrinsics():
    camera = CAMERAS['depth camera']
    back = camera.resized(333, 217).resized(camera.width, camera.height)
    np.testing.assert_allclose(back.matrix, camera.matrix, rtol=1e-12)
    assert back.distortion == camera.distortion


@pytest.mark.parametrize('name', CAMERAS)
def test_cropping_keeps_the_rays(name):
    window = CAMERAS[name].cropped(40, 30, 100, 80)
    expected = rays(CAMERAS[name])[30:110, 40:140]
    np.testing.assert_allclose(rays(window), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('name', CAMERAS)
def test_projection_agrees_with_opencv(name):
    camera = CAMERAS[name]
    points = np.random.default_rng(3).uniform((-0.5, -0.4, 0.9), (0.5, 0.4, 3.0), (1, 40, 3))
    model = cv2.fisheye if camera.distortion_model == 'equidistant' else cv2
    zero = np.zeros(3)
    expected, _ = model.projectPoints(
        points, zero, zero, camera.matrix, np.array(camera.distortion)
    )
    np.testing.assert_allclose(project(points[0], camera), expected.reshape(-1, 2), atol=1e-6)


def test_projection_agrees_with_the_camera_matrix():
    camera = CAMERAS['pinhole']
    point = np.array([0.3, -0.2, 2.0])
    u, v, w = camera.matrix @ point
    np.testing.assert_allclose(project(point, camera), [u / w, v / w])


def test_invalid_depth_gives_nan_points():
    directions = np.ones((1, 6, 2), np.float32)
    depth = np.array([[NAN, INF, -INF, 0.0, -1.0, 2.0]], np.float32)
    points = back_project(depth, directions)
    assert points.dtype == np.float32
    assert np.isnan(points[0, :5]).all()
    np.testing.assert_array_equal(points[0, 5], [2.0, 2.0, 2.0])


def test_back_projection_rejects_rays_of_another_size():
    with pytest.raises(InputError, match=r'\(4, 5\).*\(2, 3, 2\)'):
        back_project(np.ones((4, 5), np.float32), np.ones((2, 3, 2), np.float32))


def test_inverting_twice_restores_the_value():
    values = np.array([0.0, INF, NAN, 0.25, 8.0], np.float32)
    np.testing.assert_array_equal(invert(invert(values)), values)
    np.testing.assert_array_equal(invert(values), [INF, 0.0, NAN, 4.0, 0.125])
    assert invert(np.array([-0.0], np.float32))[0] == INF


def test_depth_has_the_special_values_of_rep_117():
    inverse_depth = np.array([NAN, 0.0, -0.0, -1e-4, 0.005, 0.01, 1.0, 10.0, 11.0, INF])
    depth = depth_from_inverse(inverse_depth, minimum=0.1, maximum=100.0)
    assert depth.dtype == np.float32
    expected = [NAN, INF, INF, INF, INF, 100.0, 1.0, 0.1, -INF, -INF]
    np.testing.assert_allclose(depth, expected, rtol=1e-6)


def test_scale_is_applied_before_the_limits():
    inverse_depth = np.array([0.5, 1.0, 4.0], np.float32)
    depth = depth_from_inverse(inverse_depth, 3.0, 1.0, 5.0)
    np.testing.assert_array_equal(depth, np.array([INF, 3.0, -INF], np.float32))


def test_without_limits_depth_is_the_inverse():
    inverse_depth = np.array([0.0, 0.001, 1.0, 300.0], np.float32)
    np.testing.assert_array_equal(depth_from_inverse(inverse_depth), invert(inverse_depth))


@pytest.mark.parametrize(
    'limits', [(0.0, 0.1, 9.0), (-1.0, 0.1, 9.0), (1.0, 9.0, 0.1), (1.0, -1.0, 9.0), (NAN, 0, 1)]
)
def test_invalid_depth_limits_are_rejected(limits):
    with pytest.raises(ConfigError, match='minimum < maximum'):
        depth_from_inverse(np.ones((1, 1), np.float32), *limits)


def test_edges_are_marked_on_both_sides_only():
    depth = np.full((5, 7), 2.0, np.float32)
    depth[2:, 3:] = 3.0
    expected = np.zeros((5, 7), bool)
    expected[2:, 2:4] = True
    expected[1:3, 3:] = True
    np.testing.assert_array_equal(edge_mask(depth, 0.4), expected)
    assert not edge_mask(depth, 0.6).any()


def test_edges_do_not_depend_on_axis_order_or_direction():
    depth = random_depth((20, 30))
    mask = edge_mask(depth, 0.5)
    np.testing.assert_array_equal(edge_mask(depth.T, 0.5), mask.T)
    np.testing.assert_array_equal(edge_mask(depth[::-1, ::-1], 0.5), mask[::-1, ::-1])


@pytest.mark.parametrize('stride', [1, 2, 3, 4, 7])
@pytest.mark.parametrize('shape', [(20, 30), (21, 29), (1, 1), (2, 9), (8, 3)])
def test_edges_with_a_stride_equal_the_subsampled_edges(shape, stride):
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


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'width': 0}, '0 x 480'),
        ({'height': -3}, '640 x -3'),
        ({'fx': 0.0}, 'fx=0.0'),
        ({'fy': -1.0}, 'fy=-1.0'),
        ({'fx': math.nan}, 'finite'),
        ({'cy': math.inf}, 'finite'),
        ({'distortion_model': 'thin_prism'}, 'thin_prism.*plumb_bob.*equidistant'),
        ({'distortion_model': 'plumb_bob'}, 'got 0 coefficients, expected 4 or 5 or 8'),
        (
            {'distortion_model': 'equidistant', 'distortion': (0.1,)},
            'got 1 coefficients, expected 4',
        ),
        (
            {'distortion_model': 'rational_polynomial', 'distortion': (0.1,) * 6},
            'got 6 coefficients, expected 4 or 5 or 8',
        ),
        ({'distortion': (0.1,)}, 'got 1 coefficients, expected 0'),
        ({'distortion_model': 'plumb_bob', 'distortion': (math.nan, 0, 0, 0)}, 'finite'),
    ],
)
def test_invalid_intrinsics_are_rejected(change, message):
    with pytest.raises(InputError, match=message):
        Intrinsics(**{**VALID, **change})


@pytest.mark.parametrize(
    'window', [(-1, 0, 10, 10), (0, -1, 10, 10), (631, 0, 10, 10), (0, 471, 10, 10), (0, 0, 0, 1)]
)
def test_window_outside_the_image_is_rejected(window):
    with pytest.raises(InputError):
        Intrinsics(**VALID).cropped(*window)


@pytest.mark.parametrize('size', [(0, 10), (10, 0), (-1, 10)])
def test_resizing_to_a_size_of_zero_is_rejected(size):
    with pytest.raises(InputError, match='must be positive'):
        Intrinsics(**VALID).resized(*size)


def test_stride_of_zero_is_rejected():
    with pytest.raises(ConfigError, match='stride 0'):
        rays(Intrinsics(**VALID), 0)


def test_intrinsics_are_comparable_and_hashable():
    assert {Intrinsics(**VALID): 1}[Intrinsics(**VALID)] == 1
    assert Intrinsics(**VALID) != Intrinsics(**{**VALID, 'fx': 501.0})
