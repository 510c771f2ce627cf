"""Folders of still images as sources of training."""

import math
import pickle

import cv2
import numpy as np
import pytest
import torch

from flashdepth_ros.errors import ConfigError, FlashDepthError, InputError
from flashdepth_ros.training.batch_loader import load_batches
from flashdepth_ros.training.config import AugmentationConfig, PhaseConfig, SourceConfig
from flashdepth_ros.training.datasets import ClipDataset, VideoPool
from flashdepth_ros.training.sources import find_videos
from support.still_sets import camera_yaml, depth_of, levels, write_set, write_still

PHASE = PhaseConfig(steps=2, height=28, width=42, frames=2, batch=2, strides=(1,))


def find(folder):
    return find_videos(SourceConfig(str(folder), kind='stills'))


def test_images_are_read_with_inverse_depth_and_focal_length(tmp_path):
    write_set(tmp_path, images=3)
    videos = find(tmp_path)
    assert [video.length for video in videos] == [1, 1, 1]
    for index, video in enumerate(videos):
        rgb, inverse_depth, focal_px = video.read([0])
        assert rgb.shape == (1, 48, 64, 3)
        np.testing.assert_array_equal(rgb[0, ..., 0], levels(index))
        np.testing.assert_array_equal(inverse_depth[0], 1 / depth_of(levels(index)))
        assert inverse_depth.dtype == np.float32
        assert focal_px == 50.0


def test_a_video_has_the_images_of_its_set_in_order(tmp_path):
    write_set(tmp_path / 'a', images=2)
    write_set(tmp_path / 'b', images=3)
    (tmp_path / 'b' / 'set.yaml').write_text('video: true')
    videos = find(tmp_path)
    assert [video.length for video in videos] == [1, 1, 3]
    rgb, inverse_depth, _ = videos[2].read([2, 0, 0])
    for frame, index in enumerate([2, 0, 0]):
        np.testing.assert_array_equal(rgb[frame, ..., 0], levels(index))
        np.testing.assert_array_equal(inverse_depth[frame], 1 / depth_of(levels(index)))


def test_unknown_depth_is_no_number_and_no_depth_is_infinitely_far(tmp_path):
    depth = depth_of(levels())
    depth[:9] = [[np.nan], [0.0], [np.inf]] * 3
    (video,) = find(write_still(tmp_path, 'a', depth=depth))
    inverse_depth = video.read([0]).inverse_depth[0]
    assert np.isnan(inverse_depth[:9]).all()
    assert (inverse_depth[9:] > 0).all()


def test_the_focal_length_is_the_mean_of_both_at_the_size_of_the_image(tmp_path):
    k = [100.0, 0.0, 63.5, 0.0, 120.0, 47.5, 0.0, 0.0, 1.0]
    write_still(tmp_path, 'a', camera=camera_yaml(k, width=128, height=96))
    write_still(tmp_path, 'b')
    known, unknown = find(tmp_path)
    assert known.read([0]).focal_px == 55.0
    assert math.isnan(unknown.read([0]).focal_px)


def test_depth_gets_the_size_of_the_image(tmp_path):
    blocks = levels()[4::8, 4::8]
    write_still(tmp_path, 'small', depth=depth_of(blocks))
    write_still(tmp_path, 'large', depth=depth_of(np.kron(levels(), np.ones((3, 3)))))
    points = np.full((192, 256), np.nan, np.float32)
    points[2::8, 5::16] = depth_of(levels()[::2, ::4])
    write_still(tmp_path, 'points', depth=points)
    expected = 1 / depth_of(levels())
    large, sparse, small = (video.read([0]).inverse_depth[0] for video in find(tmp_path))
    np.testing.assert_array_equal(small, expected)
    np.testing.assert_array_equal(large, expected)
    known = np.isfinite(sparse)
    assert known.sum() == np.isfinite(points).sum()
    np.testing.assert_array_equal(sparse[known], expected[::2, ::4].ravel())


def test_samples_depend_on_seed_and_index_only(tmp_path):
    write_set(tmp_path / 'images')
    write_set(tmp_path / 'video', images=4)
    (tmp_path / 'video' / 'set.yaml').write_text('video: true')
    pools = [VideoPool([SourceConfig(str(tmp_path), kind='stills')]) for _ in range(2)]
    assert pickle.loads(pickle.dumps(pools[0].videos)) == pools[1].videos
    first, again = (ClipDataset(pool, PHASE, AugmentationConfig(), 0, 0.8) for pool in pools)
    for index in range(8):
        sample, same = first[index], again[index]
        assert sample.rgb.shape == (2, 3, 28, 42)
        assert torch.equal(sample.rgb, same.rgb)
        assert torch.equal(sample.inverse_depth, same.inverse_depth)


DAMAGE = {
    'image': (lambda f: (f / 'a.png').write_bytes(b'nothing'), 'a.png: cannot be read'),
    'lost': (lambda f: (f / 'a.png').unlink(), 'a.png: cannot be read as an image'),
    'depth': (lambda f: (f / 'a.depth.npy').write_bytes(b'no'), 'a.depth.npy: cannot be read'),
    'aspect': (lambda f: np.save(f / 'a.depth.npy', np.ones((20, 64))), 'a.depth.npy is 64 x 20'),
    'camera': (lambda f: (f / 'a.camera.yaml').write_text('{'), 'a.camera.yaml: not YAML'),
    'size': (lambda f: cv2.imwrite(str(f / 'a.png'), np.zeros((24, 32, 3))), '32 x 24 px'),
}


@pytest.mark.parametrize(('damage', 'message'), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_image_is_named_with_its_folder(tmp_path, damage, message):
    folder = write_still(tmp_path / 'set', 'a', camera=camera_yaml())
    write_still(folder, 'b', camera=camera_yaml())
    (folder / 'set.yaml').write_text('video: true')
    (video,) = find(tmp_path)
    damage(folder)
    with pytest.raises(InputError) as raised:
        video.read([0, 1])
    assert str(raised.value).startswith(f'{folder}: ')
    assert message in str(raised.value)


def test_a_run_ends_with_the_name_of_a_damaged_image(tmp_path):
    folder = write_still(tmp_path / 'set', 'a')
    dataset = ClipDataset(
        VideoPool([SourceConfig(str(tmp_path), kind='stills')]), PHASE, AugmentationConfig(), 0
    )
    (folder / 'a.png').write_bytes(b'nothing')
    with pytest.raises(FlashDepthError, match=f'{folder}: a.png: cannot be read as an image'):
        next(load_batches(0, False, dataset, [[0, 1]]))


def test_what_does_not_belong_together_is_refused_at_the_start(tmp_path):
    folder = write_set(tmp_path / 'set')
    (folder / 'image_1.jpg').write_bytes((folder / 'image_1.png').read_bytes())
    with pytest.raises(InputError, match=f'{folder}: image_1: image_1.jpg and image_1.png;'):
        find(tmp_path)


def test_a_wrong_set_file_is_refused_at_the_start(tmp_path):
    folder = write_set(tmp_path / 'set')
    (folder / 'set.yaml').write_text('video: 1')
    with pytest.raises(ConfigError, match=f'{folder}: set.yaml: video is 1; expected true'):
        find(tmp_path)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ConfigError, match='no true depth; expected files'):
        find(tmp_path / 'empty')


def test_an_image_without_the_camera_that_a_model_needs_is_named(tmp_path):
    write_still(tmp_path, 'a')
    pool = VideoPool([SourceConfig(str(tmp_path), kind='stills')])
    samples = ClipDataset(pool, PHASE, AugmentationConfig(), 0, canonical_focal=0.8)
    with pytest.raises(InputError, match=r'a\.png: the focal length is not known'):
        samples[0]
