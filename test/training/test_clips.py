"""A clip comes back from disk as it was written, as far as its code can hold it."""

import numpy as np
import pytest

from flashdepth_ros.errors import InputError
from flashdepth_ros.training.clips import Clip, find_clips
from support.training_scenes import write_scene


def test_a_clip_comes_back(tmp_path):
    rgb, depth = write_scene(tmp_path / 'a.clip.zip')
    clip = Clip.open(tmp_path / 'a.clip.zip')
    assert clip.length == len(rgb)
    window = clip.read([4, 1])
    assert np.abs(window.rgb.astype(int) - rgb[[4, 1]]).mean() < 4.0
    truth = 1.0 / depth[[4, 1]]
    np.testing.assert_array_equal(np.isnan(window.inverse_depth), np.isnan(truth))
    np.testing.assert_array_equal(window.inverse_depth == 0, truth == 0)
    step = np.nanmax(1.0 / depth) / 65534
    np.testing.assert_allclose(window.inverse_depth, truth, atol=0.51 * step)


def test_the_camera_comes_back(tmp_path):
    write_scene(tmp_path / 'a.clip.zip')
    camera = Clip.open(tmp_path / 'a.clip.zip').camera()
    assert camera.intrinsics == (50.0, 50.0, 32.0, 24.0)
    assert camera.stamps_ns == list(range(6))
    np.testing.assert_array_equal(camera.poses, np.tile(np.eye(4), (6, 1, 1)))


def test_clips_are_found_in_order_and_unfinished_ones_are_not(tmp_path):
    for name in ('b', 'a'):
        write_scene(tmp_path / f'{name}.clip.zip')
    (tmp_path / 'c.clip.partial').touch()
    assert [clip.path.name for clip in find_clips(tmp_path)] == ['a.clip.zip', 'b.clip.zip']


def test_a_file_that_is_no_clip_is_refused(tmp_path):
    (tmp_path / 'a.clip.zip').write_bytes(b'no zip')
    with pytest.raises(InputError, match='not a clip'):
        find_clips(tmp_path)


def test_a_wrong_name_is_refused(tmp_path):
    with pytest.raises(InputError, match=r'must end in \.clip\.zip'):
        write_scene(tmp_path / 'a.zip')
