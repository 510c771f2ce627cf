"""Clips are read as they were written, within the precision of the file format."""

import numpy as np
import pytest

from flashdepth_ros.errors import ConfigError, InputError
from flashdepth_ros.training.clips import Clip, find_clips
from support.full_disk import file_size_limit
from support.training_scenes import write_scene


def test_a_clip_is_read_as_written(tmp_path):
    rgb, depth = write_scene(tmp_path / 'a.clip.zip')
    clip = Clip.open(tmp_path / 'a.clip.zip')
    assert clip.length == len(rgb)
    window = clip.read([4, 1])
    assert np.abs(window.rgb.astype(int) - rgb[[4, 1]]).mean() < 4.0
    expected = 1.0 / depth[[4, 1]]
    np.testing.assert_array_equal(np.isnan(window.inverse_depth), np.isnan(expected))
    np.testing.assert_array_equal(window.inverse_depth == 0, expected == 0)
    step = np.nanmax(1.0 / depth) / 65534
    np.testing.assert_allclose(window.inverse_depth, expected, atol=0.51 * step)


def test_the_camera_is_read_as_written(tmp_path):
    write_scene(tmp_path / 'a.clip.zip')
    camera = Clip.open(tmp_path / 'a.clip.zip').camera()
    assert camera.intrinsics == (50.0, 50.0, 32.0, 24.0)
    assert camera.stamps_ns == list(range(6))
    np.testing.assert_array_equal(camera.poses, np.tile(np.eye(4), (6, 1, 1)))


def test_finished_clips_are_found_in_order(tmp_path):
    for name in ('b', 'a'):
        write_scene(tmp_path / f'{name}.clip.zip')
    (tmp_path / 'c.clip.partial').touch()
    assert [clip.path.name for clip in find_clips(tmp_path)] == ['a.clip.zip', 'b.clip.zip']


def test_a_file_that_is_not_a_clip_is_refused(tmp_path):
    (tmp_path / 'a.clip.zip').write_bytes(b'not a zip')
    with pytest.raises(InputError, match='not a clip'):
        find_clips(tmp_path)


@pytest.mark.parametrize('seed', range(60))
def test_a_damaged_clip_is_read_or_refused_by_name(tmp_path, seed):
    path = tmp_path / 'a.clip.zip'
    write_scene(path, frames=2)
    random = np.random.default_rng(seed)
    content = bytearray(path.read_bytes())
    if seed % 3:
        for position in random.integers(len(content), size=seed):
            content[position] = random.integers(256)
    else:
        content = content[: random.integers(len(content))]
    path.write_bytes(content)
    message = ''
    try:
        clip = Clip(path, 2)
        clip.camera()
        clip.read([1, 0])
    except InputError as error:
        message = str(error)
    assert not message or message.startswith(f'{path}: not a clip, or damaged (')
    assert '\n' not in message


def test_a_clip_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path):
    path = tmp_path / 'a.clip.zip'
    with file_size_limit(2000), pytest.raises(ConfigError, match=f'{path}: cannot be written: '):
        write_scene(path)
    assert not list(tmp_path.iterdir())


def test_a_wrong_name_is_refused(tmp_path):
    with pytest.raises(InputError, match=r'must end in \.clip\.zip'):
        write_scene(tmp_path / 'a.zip')
