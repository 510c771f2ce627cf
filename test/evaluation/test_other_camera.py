"""Ground truth and predictions that are, or are not, of the camera of the images."""

from dataclasses import replace

import numpy as np
import pytest

from flashdepth_ros.bags import BagWriter
from flashdepth_ros.camera.geometry import rays
from support.evaluation_bags import (
    CAMERA,
    CAMERA_64,
    FRAMES,
    NORMAL,
    OFFSET,
    camera_info,
    checkerboard,
    depth_image,
    image,
    stamp_ns,
    transforms,
)
from support.evaluation_runs import evaluate, report, scores

IMAGE, DEPTH = '/camera/color/image_raw', '/camera/depth/image_rect_raw'
#: A wider lens, 0.1 m to the left.
DEPTH_CAMERA = replace(CAMERA_64, fx=35.0, fy=35.0, cx=29.0)
LEFT = (-0.1, 0.0, 0.0)
STRAIGHT = (0.0, 0.0, 0.0, 1.0)


def wall(camera, position=(0.0, 0.0, 0.0)):
    directions = rays(camera)
    points = np.concatenate((directions, np.ones_like(directions[..., :1])), axis=-1)
    return ((OFFSET - np.dot(position, NORMAL)) / (points @ NORMAL)).astype(np.float32)


def write_camera(
    path, depth=None, depth_camera=DEPTH_CAMERA, frame_id='depth', pose=(*LEFT, *STRAIGHT)
):
    """Write colour and the depth of another camera, with both camera_info, as a RealSense does."""
    depth = wall(DEPTH_CAMERA, LEFT) if depth is None else depth
    with BagWriter(path) as bag:
        if pose is not None:
            chain = ('link', CAMERA, 0, (0.0, 0.0, 0.0, *STRAIGHT)), ('link', 'depth', 0, pose)
            bag.write('/tf_static', transforms(*chain), 0)
        for index in range(FRAMES):
            stamp = stamp_ns(index)
            bag.write('/camera/color/camera_info', camera_info(stamp), stamp)
            bag.write(IMAGE, image(checkerboard(index), stamp), stamp)
            if depth_camera is not None:
                info = camera_info(stamp, depth_camera, frame_id)
                bag.write('/camera/depth/camera_info', info, stamp)
            bag.write(DEPTH, depth_image(depth, stamp, frame_id=frame_id), stamp)
    return path


def write_predictions(path, camera=CAMERA_64, frame_id=CAMERA, topic='/depth/image'):
    with BagWriter(path) as bag:
        for index in range(FRAMES):
            stamp = stamp_ns(index)
            info = camera_info(stamp, camera, frame_id)
            bag.write('/depth/camera_info', info, stamp)
            bag.write(topic, depth_image(wall(CAMERA_64), stamp, frame_id=frame_id), stamp)
    return path


def run(tmp_path, *arguments, predictions=None, **options):
    bag = write_camera(tmp_path / 'bag', **options)
    predictions = predictions or write_predictions(tmp_path / 'predicted')
    return evaluate(tmp_path / 'out', bag, '--predictions', predictions, *arguments)


def notes(tmp_path):
    return report(tmp_path / 'out')['bags'][0]['warnings']


def test_depth_of_another_camera_is_reprojected(tmp_path, capsys):
    assert run(tmp_path) == 0
    # Half a pixel of the slanted wall.
    assert scores(tmp_path / 'out')['none']['abs_rel'] < 3e-3
    assert scores(tmp_path / 'out')['none']['boundary_f1'] is None
    assert report(tmp_path / 'out')['summary']['predicted']['frames'] == FRAMES
    (note,) = notes(tmp_path)
    assert f"frame_id 'depth' instead of {CAMERA!r}; reprojected" in note
    assert IMAGE in note
    assert DEPTH in note
    assert capsys.readouterr().err.count(note) == 1
    assert 'reprojected' in report(tmp_path / 'out')['bags'][0]['truth']


def test_another_lens_in_the_same_frame_is_reprojected(tmp_path):
    assert run(tmp_path, frame_id=CAMERA, depth=wall(DEPTH_CAMERA), pose=None) == 0
    assert scores(tmp_path / 'out')['none']['abs_rel'] < 3e-3
    assert 'camera_info with fx 35.0' in notes(tmp_path)[0]
    assert 'instead of fx 50.0' in notes(tmp_path)[0]


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        ({'pose': None}, "no constant transform from 'depth' to 'camera_optical_frame'"),
        ({'depth_camera': None}, 'no camera_info'),
        ({'pose': (*LEFT, 0.5, -0.5, 0.5, -0.5)}, 'look in different directions'),
    ],
)
def test_what_cannot_be_reprojected_is_rejected_or_compared_pixel_by_pixel(
    tmp_path, capsys, options, reason
):
    assert run(tmp_path, **options) == 1
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    for words in (reason, "frame_id 'depth' instead of", IMAGE, DEPTH, '--allow-other-camera'):
        assert words in error
    (tmp_path / 'again').mkdir()
    assert run(tmp_path / 'again', '--allow-other-camera', **options) == 0
    assert scores(tmp_path / 'again' / 'out')['none']['abs_rel'] > 0.01
    assert 'pixel by pixel' in notes(tmp_path / 'again')[0]


@pytest.mark.parametrize(
    'options',
    [
        {'frame_id': f'/{CAMERA}'},
        {'frame_id': ''},
        {'frame_id': CAMERA, 'depth_camera': CAMERA_64.resized(128, 96)},
        {'frame_id': CAMERA, 'depth_camera': replace(CAMERA_64, fx=50.4, cx=32.0)},
        {'frame_id': 'depth', 'pose': (0.0, 0.0, 0.0, *STRAIGHT)},
        {'frame_id': CAMERA, 'depth_camera': None, 'pose': None},
    ],
    ids=['leading slash', 'no frame_id', 'larger', 'rounded', 'same place', 'no camera_info'],
)
def test_these_are_the_same_camera(tmp_path, capsys, options):
    assert run(tmp_path, **{'depth_camera': CAMERA_64, 'depth': wall(CAMERA_64), **options}) == 0
    assert scores(tmp_path / 'out')['none']['abs_rel'] == pytest.approx(0.0, abs=1e-6)
    assert scores(tmp_path / 'out')['none']['boundary_f1'] is None or notes(tmp_path) == []
    assert capsys.readouterr().err == ''


def test_predictions_of_another_camera_are_rejected(tmp_path, capsys):
    options = {'frame_id': CAMERA, 'depth': wall(CAMERA_64), 'depth_camera': CAMERA_64}
    for number, (changes, difference) in enumerate(
        (
            ({'frame_id': 'rear'}, "frame_id 'rear' instead of"),
            ({'camera': DEPTH_CAMERA}, 'fx 35.0'),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        predictions = write_predictions(folder / 'predicted', **changes)
        assert run(folder, predictions=predictions, **options) == 1
        error = capsys.readouterr().err
        assert error.count('\n') == 1
        assert difference in error
        assert '/depth/image is not of the camera of' in error
        arguments = ('--predictions', predictions, '--allow-other-camera')
        assert evaluate(folder / 'allowed', folder / 'bag', *arguments) == 0
        assert 'pixel by pixel' in capsys.readouterr().err
        assert scores(folder / 'allowed')['none']['abs_rel'] == pytest.approx(0.0, abs=1e-6)
