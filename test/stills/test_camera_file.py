"""Calibrations of still images."""

import pytest

from flashdepth_ros.errors import InputError
from flashdepth_ros.stills.camera_file import read_camera
from support.still_sets import camera_yaml


@pytest.mark.parametrize(
    ('content', 'came'),
    [
        ('{', 'camera.yaml: not YAML in line 1; expected lines like key: value'),
        ('%YAML:1.0\nimage_width: 3', 'camera.yaml: not YAML in line 1'),
        ('- 1', 'camera.yaml has [1]; expected lines like key: value'),
        ('', 'camera.yaml: image_width is missing; expected a calibration as'),
        (camera_yaml(width=0), 'image_width is 0; expected a calibration'),
        (camera_yaml(width=6.5), 'image_width is 6.5; expected a calibration'),
        (camera_yaml(width='[1]'), 'image_width is [1]; expected a calibration'),
        (camera_yaml(width='true'), 'image_width is true; expected a calibration'),
        (camera_yaml([1.0] * 8), 'data of camera_matrix is [1.0, 1.0, 1.0, 1.0, 1.0, 1.0'),
        (camera_yaml(['.nan'] * 9).replace("'", ''), 'data of camera_matrix is [NaN, NaN,'),
        (camera_yaml().replace('data', 'K'), 'data of camera_matrix is missing; expected'),
        (camera_yaml().replace('camera_matrix:', 'camera_matrix: 3\nodd:'), 'matrix is missing'),
    ],
)
def test_a_wrong_calibration_is_described_in_words(tmp_path, content, came):
    (tmp_path / 'camera.yaml').write_text(content)
    with pytest.raises(InputError) as raised:
        read_camera(tmp_path / 'camera.yaml')
    text = str(raised.value)
    assert came in text
    assert text.startswith('camera.yaml')
    assert 'Error' not in text
    assert len(text) < 250


def test_numbers_of_a_calibration_may_be_in_any_notation(tmp_path):
    data = ['5e1', '0', '31.5', 0, 50, 23.5, '1e-5', 0.0, 1]
    (tmp_path / 'camera.yaml').write_text(camera_yaml(data).replace("'", '').replace('64', '64.0'))
    camera = read_camera(tmp_path / 'camera.yaml')
    assert (camera.fx, camera.fy, camera.cx, camera.width) == (50.0, 50.0, 31.5, 64)
