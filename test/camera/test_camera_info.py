from dataclasses import dataclass, field
import math
from types import SimpleNamespace

import numpy as np
import pytest

from flashdepth_ros.camera.camera_info import (
    camera_info_fields,
    is_rectified,
    read_intrinsics,
    rectified,
)
from flashdepth_ros.camera.geometry import project
from flashdepth_ros.errors import InputError

K = (500.0, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0)
P = (450.0, 0.0, 315.0, -54.0, 0.0, 455.0, 238.0, 0.0, 0.0, 0.0, 1.0, 0.0)
R = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
IDENTITY = tuple(np.eye(3).ravel())
D = (-0.3, 0.1, 1e-3, -1e-3, 0.01)


def region(x=0, y=0, width=0, height=0, do_rectify=False):
    return SimpleNamespace(
        x_offset=x, y_offset=y, width=width, height=height, do_rectify=do_rectify
    )


@dataclass
class CameraInfo:
    width: int = 640
    height: int = 480
    distortion_model: str = 'plumb_bob'
    d: tuple = D
    k: tuple = K
    r: tuple = R
    p: tuple = P
    binning_x: int = 0
    binning_y: int = 0
    roi: SimpleNamespace = field(default_factory=region)


def test_full_image_has_the_calibrated_intrinsics():
    intrinsics = read_intrinsics(CameraInfo())
    assert (intrinsics.width, intrinsics.height) == (640, 480)
    np.testing.assert_array_equal(intrinsics.matrix.ravel(), K)
    assert (intrinsics.distortion_model, intrinsics.distortion) == ('plumb_bob', D)


def test_ros_1_message_is_read_like_a_ros_2_message():
    upper = {name.upper(): np.array(getattr(CameraInfo(), name)) for name in 'dkrp'}
    ros_1_info = SimpleNamespace(
        width=640,
        height=480,
        distortion_model='plumb_bob',
        binning_x=0,
        binning_y=0,
        roi=region(),
        **upper,
    )
    intrinsics = read_intrinsics(ros_1_info)
    assert intrinsics == read_intrinsics(CameraInfo())
    assert camera_info_fields(intrinsics, ros_1_info) == camera_info_fields(
        intrinsics, CameraInfo()
    )


@pytest.mark.parametrize('binning', [1, 2, 3])
@pytest.mark.parametrize('window', [(0, 0, 640, 480), (101, 40, 302, 200), (7, 9, 13, 20)])
def test_binned_pixel_is_centred_on_its_pixels(window, binning):
    x, y, width, height = window
    delivered = read_intrinsics(
        CameraInfo(binning_x=binning, binning_y=binning, roi=region(*window))
    )
    assert (delivered.width, delivered.height) == (width // binning, height // binning)
    point = np.array([0.1, -0.05, 2.0])
    on_sensor = project(point, read_intrinsics(CameraInfo()))
    # The outer edge of pixel 0 is the outer edge of the window's first pixel.
    expected = (on_sensor + 0.5 - (x, y)) / binning - 0.5
    np.testing.assert_allclose(project(point, delivered), expected)


def test_do_rectify_of_the_region_is_ignored():
    window = (10, 20, 300, 200)
    assert read_intrinsics(CameraInfo(roi=region(*window, do_rectify=True))) == read_intrinsics(
        CameraInfo(roi=region(*window))
    )


@pytest.mark.parametrize('model', ['', 'plumb_bob', 'none', 'equidistant'])
@pytest.mark.parametrize('d', [(), (0.0,) * 5])
def test_zero_coefficients_mean_no_distortion(model, d):
    intrinsics = read_intrinsics(CameraInfo(distortion_model=model, d=d))
    assert (intrinsics.distortion_model, intrinsics.distortion) == ('', ())


def test_zeros_after_the_coefficients_of_the_model_are_dropped():
    eight = (0.1, 0.2, 0.0, 0.0, 0.3, 0.4, 0.5, 0.6)
    info = CameraInfo(distortion_model='rational_polynomial', d=(*eight, *(0.0,) * 6))
    assert read_intrinsics(info).distortion == eight


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'k': (0.0,) * 9}, 'not calibrated'),
        ({'k': (*K[:4], 0.0, *K[5:])}, 'not calibrated'),
        ({'k': (math.nan, *K[1:])}, 'finite'),
        ({'k': (math.inf, *K[1:])}, 'finite'),
        ({'width': 0}, '0 x 480'),
        ({'distortion_model': 'thin_prism'}, 'thin_prism'),
        ({'distortion_model': ''}, 'got 5 coefficients, expected 0'),
        ({'d': (math.nan, 0.0, 0.0, 0.0, 0.0)}, 'finite'),
        ({'d': (0.1,) * 9}, 'got 9 coefficients, expected 4 or 5 or 8 or 12 or 14'),
        ({'d': (0.1, 0.2)}, 'got 2 coefficients'),
        ({'roi': region(600, 0, 100, 100)}, 'is not inside'),
        ({'binning_x': 641}, 'must be positive'),
    ],
)
def test_invalid_camera_info_is_rejected(change, message):
    with pytest.raises(InputError, match=message):
        read_intrinsics(CameraInfo(**change))


def test_unchanged_image_has_the_fields_of_the_source():
    fields = camera_info_fields(read_intrinsics(CameraInfo()), CameraInfo())
    assert (fields['width'], fields['height']) == (640, 480)
    assert (fields['distortion_model'], fields['d'], fields['r']) == ('plumb_bob', D, R)
    np.testing.assert_allclose(fields['k'], K)
    np.testing.assert_allclose(fields['p'], P)


@pytest.mark.parametrize('size', [(320, 240), (644, 364), (1280, 960)])
@pytest.mark.parametrize('window', [(0, 0, 0, 0), (100, 40, 300, 200)])
def test_fields_of_a_resized_image_describe_that_image(window, size):
    source = CameraInfo(binning_x=2, binning_y=2, roi=region(*window))
    delivered = read_intrinsics(source)
    published = delivered.resized(*size)
    fields = camera_info_fields(published, source)
    assert read_intrinsics(CameraInfo(**fields)) == published
    # P projects to the same image content, cropped and scaled like the image.
    point = np.array([0.3, -0.2, 2.0, 1.0])
    u, v, w = np.reshape(P, (3, 4)) @ point
    x, y = window[:2]
    width, height = window[2] or 640, window[3] or 480
    expected = (
        (u / w + 0.5 - x) * size[0] / width - 0.5,
        (v / w + 0.5 - y) * size[1] / height - 0.5,
    )
    u, v, w = np.reshape(fields['p'], (3, 4)) @ point
    np.testing.assert_allclose((u / w, v / w), expected)


def test_last_column_of_p_is_scaled():
    fields = camera_info_fields(read_intrinsics(CameraInfo()).resized(320, 240), CameraInfo())
    expected = (225.0, 0, 157.25, -27.0, 0, 227.5, 118.75, 0, 0, 0, 1, 0)
    np.testing.assert_allclose(fields['p'], expected)


def test_missing_p_and_r_are_replaced_by_k_and_identity():
    source = CameraInfo(p=(0.0,) * 12, r=(0.0,) * 9)
    published = read_intrinsics(source).resized(320, 240)
    fields = camera_info_fields(published, source)
    projection = np.reshape(fields['p'], (3, 4))
    np.testing.assert_array_equal(projection[:, :3], published.matrix)
    np.testing.assert_array_equal(projection[:, 3], 0.0)
    assert fields['r'] == IDENTITY


def test_uncalibrated_source_is_rejected():
    with pytest.raises(InputError, match='not calibrated'):
        camera_info_fields(read_intrinsics(CameraInfo()), CameraInfo(k=(0.0,) * 9))


@pytest.mark.parametrize(
    ('topic', 'by_name'),
    [
        ('/cam/image_rect', True),
        ('/cam/image_rect_color', True),
        ('/cam/image_rect_color/compressed', True),
        ('/zed/rgb/rect/image', True),
        ('/cam/image_raw', False),
        ('/rectangle/image', False),
        ('/cam/image_rect_other', False),
        ('/cam_rect/image_raw', False),
    ],
)
def test_rectified_topics_are_told_by_their_names(topic, by_name):
    assert is_rectified('auto', topic) == by_name
    assert is_rectified('true', topic)
    assert not is_rectified('false', topic)


@pytest.mark.parametrize('source', [CameraInfo(), CameraInfo(binning_x=2, binning_y=2)])
def test_rectified_camera_projects_as_p_does(source):
    source.header = SimpleNamespace(frame_id='camera')
    info = rectified(source)
    intrinsics, binning = read_intrinsics(info), max(1, source.binning_x)
    points = np.random.default_rng(0).uniform((-1, -1, 2), (1, 1, 5), (20, 3))
    homogeneous = points @ np.reshape(P, (3, 4))[:, :3].T
    expected = homogeneous[:, :2] / homogeneous[:, 2:]
    np.testing.assert_allclose(
        project(points, intrinsics), (expected + 0.5) / binning - 0.5, rtol=0, atol=1e-9
    )
    fields = camera_info_fields(intrinsics, info)
    np.testing.assert_allclose(np.reshape(fields['p'], (3, 4))[:, :3].ravel(), fields['k'])
    assert not any(fields['d'])
    assert fields['r'] == IDENTITY


def test_rectified_camera_without_p_keeps_k():
    source = CameraInfo(p=(0.0,) * 12)
    source.header = SimpleNamespace(frame_id='camera')
    np.testing.assert_array_equal(read_intrinsics(rectified(source)).matrix.ravel(), K)
    with pytest.raises(InputError, match='12 numbers'):
        rectified(CameraInfo(p=()))
