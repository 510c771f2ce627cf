"""Sets of still images are found by one rule, and have the images with depth in order."""

import pytest

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.stills.set_folders import find_sets
from flashdepth_ros.stills.still_set import StillSet
from support.still_sets import HEIGHT, WIDTH, K, camera_yaml, depth_of, levels, write_set


def test_a_folder_is_a_set_or_has_sets(tmp_path):
    for name in ('b', 'a'):
        write_set(tmp_path / name)
    for name in ('empty', '.hidden', 'output'):
        (tmp_path / name).mkdir()
    write_set(tmp_path / 'output')
    found = find_sets(tmp_path, tmp_path / 'output')
    assert [each.name for each in found.sets] == ['a', 'b']
    assert [each.name for each in found.others] == ['empty']
    assert find_sets(tmp_path / 'a') == ([tmp_path / 'a'], [])


def test_a_folder_without_depth_is_refused(tmp_path):
    with pytest.raises(ConfigError, match='no such folder'):
        find_sets(tmp_path / 'gone')
    with pytest.raises(ConfigError, match='no true depth; expected files'):
        find_sets(tmp_path)


def test_a_set_has_the_images_with_depth_in_order(tmp_path):
    folder = write_set(tmp_path, images=3)
    (folder / 'image_1.depth.npy').unlink()
    (folder / 'image_2.camera.yaml').write_text(camera_yaml())
    found = StillSet.read(folder)
    assert [still.name for still in found.stills] == ['image_0', 'image_2']
    cameras = [still.camera.name for still in found.stills if still.camera]
    assert cameras == ['camera.yaml', 'image_2.camera.yaml']
    assert found.without_depth == ('image_1.png',)
    assert not found.unpaired
    assert not found.options.video


def test_an_image_is_read_with_depth_and_camera(tmp_path):
    (still,) = StillSet.read(write_set(tmp_path, images=1)).stills
    rgb = still.rgb()
    assert rgb.shape == (HEIGHT, WIDTH, 3)
    assert (rgb[..., 0] == levels(0)).all()
    assert (still.true_depth() == depth_of(levels(0))).all()
    assert still.camera_matrix(rgb.shape) == K
    half = still.camera_matrix((HEIGHT // 2, WIDTH // 2))
    assert half[0] == K[0] / 2


def test_what_does_not_belong_together_is_named(tmp_path):
    folder = write_set(tmp_path)
    (folder / 'image_0.png').unlink()
    (folder / 'image_1.jpg').write_bytes(b'another one')
    names = [each.name for each in StillSet.read(folder).unpaired]
    assert names == ['image_0.depth.npy', 'image_1']
