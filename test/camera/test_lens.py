import math

import numpy as np

from flashdepth_ros.camera.geometry import Intrinsics, project, rays

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
