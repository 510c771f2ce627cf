import math

import cv2
import numpy as np
import pytest

from flashdepth_ros.camera.geometry import Intrinsics, project, rays
from flashdepth_ros.camera.lens import COEFFICIENT_COUNTS, Lens
from flashdepth_ros.errors import InputError

ORIGIN = np.zeros(3)

IDEAL_FISHEYE = Intrinsics(
    640, 480, 200.0, 200.0, 320.0, 240.0, 'equidistant', (0.0, 0.0, 0.0, 0.0)
)
WEBCAM = Intrinsics(
    640, 480, 430.0, 432.0, 322.0, 238.0, 'plumb_bob', (-0.35, 0.14, 8e-4, -6e-4, -0.02)
)


def test_fisheye_has_rays_up_to_89_9_degrees_only():
    camera = IDEAL_FISHEYE
    rows, columns = np.mgrid[0 : camera.height, 0 : camera.width]
    radius = np.hypot(columns - camera.cx, rows - camera.cy) / camera.fx
    known = np.isfinite(rays(camera)).all(axis=-1)
    assert known[radius < math.radians(89.9)].all()
    assert not known[radius > math.radians(89.9)].any()


def test_ideal_fisheye_has_radius_proportional_to_angle():
    angle = math.radians(60)
    camera = IDEAL_FISHEYE
    pixel = project(np.array([math.sin(angle), 0.0, math.cos(angle)]), camera)
    np.testing.assert_allclose(pixel, [camera.cx + camera.fx * angle, camera.cy])


def test_points_behind_the_camera_or_beyond_the_fold_have_no_pixel():
    behind = project(np.array([[0.0, 0.0, -1.0], [0.1, 0.1, 0.0]]), WEBCAM)
    assert np.isnan(behind).all()
    barrel = Intrinsics(640, 480, 400.0, 400.0, 320.0, 240.0, 'plumb_bob', (-0.3, 0, 0, 0))
    fold = 1 / math.sqrt(0.9)
    assert np.isfinite(project(np.array([0.99 * fold, 0.0, 1.0]), barrel)).all()
    assert np.isnan(project(np.array([1.01 * fold, 0.0, 1.0]), barrel)).all()


def test_pixels_beyond_the_fold_have_no_ray():
    # The distorted radius of this barrel distortion has its maximum 281 px from the centre.
    barrel = Intrinsics(700, 480, 400.0, 400.0, 320.0, 240.0, 'plumb_bob', (-0.3, 0, 0, 0))
    row = rays(barrel)[240, :, 0]
    assert np.isfinite(row[320 - 281 : 320 + 281]).all()
    assert np.isnan(row[320 + 282 :]).all()
    assert (np.diff(row[320 - 281 : 320 + 281]) > 0).all()


def brown(random, count):
    """Return random coefficients of one of OpenCV's models with that number of them."""
    sizes = (0.3, 0.2, 0.01, 0.01, 0.1, 0.3, 0.2, 0.1, *(0.01,) * 4, 0.06, 0.06)
    return tuple(random.uniform(-1, 1, count) * sizes[:count])


def fisheye(random, count):
    return tuple(random.uniform(-1, 1, count) * (0.1, 0.05, 0.02, 0.01))


def project_with_opencv(points, coefficients, module):
    rays = np.insert(points, 2, 1.0, axis=1)[:, None]
    pixels, _ = module.projectPoints(rays, ORIGIN, ORIGIN, np.eye(3), np.array(coefficients))
    return pixels[:, 0]


def directions_in_valid_field(random, coefficients, module, limit):
    """Return points within the radius up to which the radial distortion clearly rises."""
    radial = np.array(coefficients)
    if module is cv2:
        radial[2:4] = radial[8:] = 0
    radii = np.linspace(0, limit, 400)
    on_axis = np.stack((radii, np.zeros(400)), axis=1)
    slopes = np.diff(project_with_opencv(on_axis, radial, module)[:, 0]) / np.diff(radii)
    # Of a fisheye the slope falls with the angle, as that of an arc tangent.
    least = 0.3 if module is cv2 else 0.3 / (1 + radii[1:] ** 2)
    rising = np.append(slopes > least, False)
    radius = 0.95 * radii[np.argmin(rising)]
    angle, share = random.uniform(0, 2 * math.pi, 200), np.sqrt(random.uniform(0, 1, 200))
    return radius * np.stack((share * np.cos(angle), share * np.sin(angle)), axis=1)


@pytest.mark.parametrize('seed', range(20))
@pytest.mark.parametrize(
    ('name', 'count', 'make', 'module', 'limit'),
    [
        *(('plumb_bob', count, brown, cv2, 0.9) for count in (4, 5, 8, 12, 14)),
        *(('rational_polynomial', count, brown, cv2, 0.9) for count in (8, 12, 14)),
        ('equidistant', 4, fisheye, cv2.fisheye, 3.0),
        ('fisheye', 4, fisheye, cv2.fisheye, 3.0),
    ],
)
def test_every_model_agrees_with_opencv_in_both_directions(name, count, make, module, limit, seed):
    random = np.random.default_rng(seed)
    coefficients = make(random, count)
    lens = Lens.named(name, coefficients)
    ideal = directions_in_valid_field(random, coefficients, module, limit)
    distorted = project_with_opencv(ideal, coefficients, module)
    np.testing.assert_allclose(np.transpose(lens.distort(*ideal.T)), distorted, atol=1e-12)
    ours = np.transpose(lens.undistort(*distorted.T))
    np.testing.assert_allclose(ours, ideal, atol=1e-8)
    arguments = distorted[:, None], np.eye(3), np.array(coefficients)
    if module is cv2:
        end = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 500, 1e-14)
        theirs = cv2.undistortPoints(*arguments, criteria=end)[:, 0]
    else:
        theirs = module.undistortPoints(*arguments)[:, 0]
    # Where OpenCV's iteration ends at a point with that image.
    found = np.abs(project_with_opencv(theirs, coefficients, module) - distorted) < 1e-9
    found = found.all(axis=1)
    assert found.mean() > 0.7
    np.testing.assert_allclose(ours[found], theirs[found], atol=1e-7)


@pytest.mark.parametrize(
    ('name', 'coefficients', 'expected'),
    [
        ('Brown Conrady', (0.1, 0.2, 0.0, 0.0, 0.3), 'plumb_bob'),
        ('brown_conrady', (0.1, 0.2, 0.0, 0.01), 'plumb_bob'),
        ('distortion.brown_conrady', (0.1, 0.2, 0.0, 0.01), 'plumb_bob'),
        ('radtan', (0.1, 0.2, 0.0, 0.01), 'plumb_bob'),
        ('Plumb_Bob', (0.1, 0.2, 0.0, 0.01), 'plumb_bob'),
        ('Kannala Brandt4', (0.1, 0.2, 0.0, 0.01, 0.0), 'equidistant'),
        ('fisheye', (0.1, 0.2, 0.0, 0.01), 'equidistant'),
        ('rational_polynomial', (*(0.1,) * 8, *(0.0,) * 6), 'rational_polynomial'),
        *((name, (0.0,) * 5, '') for name in ('', 'None', 'none', 'Inverse Brown Conrady')),
        *((name, (), '') for name in ('', 'None', 'plumb_bob', 'Modified Brown Conrady')),
    ],
)
def test_names_of_drivers_stand_for_these_models(name, coefficients, expected):
    lens = Lens.named(name, coefficients)
    assert lens.model == expected
    assert len(lens.coefficients) in COEFFICIENT_COUNTS[expected]
    assert not any(coefficients[len(lens.coefficients) :])


@pytest.mark.parametrize(
    'name', ['Inverse Brown Conrady', 'Modified Brown Conrady', 'None', '', 'FTheta']
)
def test_unknown_distortion_is_an_error_that_names_the_model(name):
    with pytest.raises(InputError, match=repr('' if name == 'None' else name)):
        Lens.named(name, (0.1, 0.2, 0.0, 0.01, 0.1))
