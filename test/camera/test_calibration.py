"""A camera_info is used as far as it can be, and what cannot be used is reported once."""

from types import SimpleNamespace

import numpy as np
import pytest

from flashdepth_ros.camera.calibration import CameraInfoCache
from flashdepth_ros.camera.canonical import CanonicalCamera

SIZE = (640, 480)
D = (-0.3, 0.1, 1e-3, -1e-3, 0.01)


def camera_info(frame_id='camera', size=SIZE, focal=500.0, model='plumb_bob', d=D):
    width, height = size
    return SimpleNamespace(
        header=SimpleNamespace(frame_id=frame_id),
        width=width,
        height=height,
        distortion_model=model,
        d=d,
        k=(focal, 0.0, (width - 1) / 2, 0.0, focal, (height - 1) / 2, 0.0, 0.0, 1.0),
        binning_x=0,
        binning_y=0,
        roi=SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0),
    )


class Calibration:
    """A cache with its warnings, for images of 640 x 480 px in the frame 'camera'."""

    def __init__(self, *infos, canonical_focal=0.8, require_frame_id=False):
        self.warnings = []
        self.cache = CameraInfoCache(self.warnings.append)
        self.cache.canonical = CanonicalCamera('a-model', canonical_focal)
        self.cache.require_frame_id = require_frame_id
        for info in infos:
            self.cache.receive(info)

    def camera(self, frame_id='camera', size=SIZE):
        cameras = [self.cache.matching(frame_id, size[1], size[0]) for _ in range(3)]
        assert cameras.count(cameras[0]) == 3
        return cameras[0]

    @property
    def lost(self):
        return [finding.kind for finding in self.cache.findings if finding.lost]


def test_matching_camera_info_is_used_without_a_word():
    calibration = Calibration(camera_info())
    assert calibration.camera().intrinsics.distortion == D
    assert calibration.warnings == []
    assert calibration.cache.findings == ()


@pytest.mark.parametrize(
    ('frame_id', 'image_frame_id'),
    [('', 'camera'), ('camera', ''), ('', ''), ('/camera', 'camera'), ('camera', '/camera')],
)
@pytest.mark.parametrize('require_frame_id', [False, True])
def test_empty_frame_id_and_leading_slash_fit(frame_id, image_frame_id, require_frame_id):
    calibration = Calibration(camera_info(frame_id), require_frame_id=require_frame_id)
    assert calibration.camera(image_frame_id) is not None
    assert calibration.warnings == []


def test_another_frame_id_is_used_with_one_warning():
    calibration = Calibration(camera_info('left'))
    assert calibration.camera().pinhole.fx == 500.0
    (warning,) = calibration.warnings
    assert "frame_id 'left', the image has 'camera': it is used" in warning
    assert 'camera_info.require_frame_id' in warning
    assert calibration.lost == []


def test_another_frame_id_is_refused_if_the_parameter_says_so():
    calibration = Calibration(camera_info('left', focal=768.0), require_frame_id=True)
    assert calibration.camera() is None
    (warning,) = calibration.warnings
    assert 'no point cloud, and the metres of a-model' in warning
    assert 'by the factor 2.00' in warning
    assert calibration.lost == ['frame_id refused']


@pytest.mark.parametrize('first', ['camera', 'left'])
def test_of_several_cameras_on_one_topic_that_of_the_image_is_used(first):
    both = {'camera': camera_info(focal=500.0), 'left': camera_info('left', focal=300.0)}
    calibration = Calibration(both.pop(first), *both.values())
    assert calibration.camera().pinhole.fx == 500.0
    assert calibration.camera('/left').pinhole.fx == 300.0
    assert calibration.warnings == []


def test_changing_frame_ids_do_not_fill_the_memory():
    calibration = Calibration(*(camera_info(f'camera{index}') for index in range(1000)))
    assert len(calibration.cache._cameras) < 100
    assert calibration.camera('camera999') is not None


@pytest.mark.parametrize(
    'size', [(320, 240), (1280, 960), (960, 720), (213, 160), (1281, 961), (160, 120)]
)
def test_camera_info_of_a_scaled_image_has_the_same_field_of_view(size):
    calibration = Calibration(camera_info(size=size, focal=500.0 * size[0] / 640))
    camera = calibration.camera()
    assert camera.size == SIZE
    np.testing.assert_allclose(camera.pinhole.fx, 500.0)
    np.testing.assert_allclose(camera.pinhole.cx, 319.5)
    np.testing.assert_allclose(camera.pinhole.fy, 500.0, rtol=5e-3)
    (warning,) = calibration.warnings
    assert f'for {size[0]} x {size[1]} px, the image has 640 x 480 px: K is scaled' in warning
    assert calibration.lost == []


@pytest.mark.parametrize('size', [(640, 360), (641, 480), (640, 482), (480, 640), (1280, 720)])
def test_camera_info_of_another_aspect_ratio_is_refused(size):
    calibration = Calibration(camera_info(size=size, focal=0.4 * min(size)))
    assert calibration.camera() is None
    (warning,) = calibration.warnings
    assert f'for {size[0]} x {size[1]} px, the image has 640 x 480 px: no point cloud' in warning
    assert 'by the factor 0.50' in warning


def test_scaled_camera_info_of_another_frame_id_is_refused():
    calibration = Calibration(camera_info('left', size=(320, 240)))
    assert calibration.camera() is None
    (warning,) = calibration.warnings
    assert "frame_id 'left'" in warning
    assert '320 x 240' in warning


@pytest.mark.parametrize(
    ('model', 'd'),
    [('Inverse Brown Conrady', D), ('wavy', D), ('', D), ('plumb_bob', (float('nan'),) * 5)],
)
def test_focal_length_is_used_if_only_the_distortion_is_unknown(model, d):
    calibration = Calibration(camera_info(model=model, d=d))
    camera = calibration.camera()
    assert camera.matrix[0] == 500.0
    assert camera.intrinsics is None
    (warning,) = calibration.warnings
    assert 'no point cloud, but K is used for depth' in warning
    assert (repr(model) in warning) or 'finite' in warning
    assert calibration.lost == ['lens']


@pytest.mark.parametrize('model', ['Inverse Brown Conrady', 'None', 'none', ''])
def test_without_distortion_the_model_does_not_matter(model):
    calibration = Calibration(camera_info(model=model, d=(0.0,) * 5))
    assert calibration.camera().intrinsics.distortion == ()
    assert calibration.warnings == []


def test_uncalibrated_camera_info_is_reported_with_what_it_costs():
    calibration = Calibration(*(camera_info(focal=0.0) for _ in range(3)))
    assert calibration.camera() is None
    (warning,) = calibration.warnings
    assert 'not calibrated: no point cloud, and the metres of a-model' in warning
    assert 'focal length of 0.8 x the short side' in warning
    assert calibration.lost == ['invalid']
    assert calibration.cache.missing_s == 0


def test_last_valid_camera_info_is_kept():
    calibration = Calibration(camera_info(), camera_info(focal=0.0))
    assert calibration.camera() is not None
    assert calibration.lost == []
    (warning,) = calibration.warnings
    assert warning.endswith('not calibrated: the last valid one is still used')


def test_time_without_camera_info_is_measured_from_the_first_image():
    calibration = Calibration()
    assert calibration.cache.missing_s == 0
    assert calibration.camera() is None
    assert calibration.cache.missing_s > 0
    assert (calibration.lost, calibration.warnings) == (['missing'], [])
    for _ in range(2):
        calibration.cache.report_missing('no camera_info on /info', '; do this')
    (warning,) = calibration.warnings
    assert warning.startswith('no camera_info on /info: no point cloud, and the metres of a-model')
    assert warning.endswith('by the ratio of the focal lengths; do this')
    calibration.cache.receive(camera_info())
    assert calibration.cache.missing_s == 0
    assert calibration.camera() is not None


def test_metres_of_models_without_canonical_camera_do_not_depend_on_camera_info():
    calibration = Calibration(camera_info(size=(640, 360)), canonical_focal=0.0)
    assert calibration.camera() is None
    assert 'metres' not in calibration.warnings[0]
