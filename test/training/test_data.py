"""Training samples: drawing, cropping, augmentation, canonical camera."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from flashdepth_ros.errors import ConfigError, InputError
from flashdepth_ros.training.augmentation import augment, crop_and_resize
from flashdepth_ros.training.config import AugmentationConfig, PhaseConfig, SourceConfig
from flashdepth_ros.training.datasets import (
    ClipDataset,
    StepSampler,
    VideoPool,
    draw_frames,
    draw_loss_frames,
)
from flashdepth_ros.training.sources import find_videos
from flashdepth_ros.training.video import Window
from support.training_scenes import write_scene

PHASE = PhaseConfig(steps=2, height=28, width=42, frames=3, batch=4, strides=(1, 2))
PLAIN = AugmentationConfig(zoom=1.0, flip=False, colour=0.0)
FOCAL = 0.8


def window(height: int = 30, width: int = 40, frames: int = 2) -> Window:
    """Return frames that encode each pixel's position in red and green, and in inverse depth."""
    rows, columns = np.mgrid[:height, :width]
    rgb = np.stack([rows, columns, 0 * rows], axis=-1).astype(np.uint8)
    inverse_depth = (rows + 1000.0 * columns).astype(np.float32)
    return Window(np.stack([rgb] * frames), np.stack([inverse_depth] * frames), 25.0)


def test_a_sample_depends_on_seed_and_index_only(tmp_path):
    for seed in range(2):
        write_scene(tmp_path / f'{seed}.clip.zip', seed)
    pool = VideoPool([SourceConfig(str(tmp_path))])
    dataset, other = (ClipDataset(pool, PHASE, AugmentationConfig(), seed) for seed in (0, 1))
    rgb, loss_frames, inverse_depth = dataset[7]
    assert rgb.shape == (3, 3, 28, 42)
    assert rgb.dtype == torch.uint8
    assert inverse_depth.shape == (3, 28, 42)
    assert loss_frames.tolist() == [0, 1, 2]
    assert torch.equal(dataset[7].rgb, rgb)
    assert not torch.equal(dataset[8].rgb, rgb)
    assert not torch.equal(other[7].rgb, rgb)


@pytest.mark.parametrize('world', [1, 2, 4])
def test_the_samples_do_not_depend_on_the_number_of_processes(world):
    shares = [list(StepSampler(range(1, 3), 100, 4, rank, world)) for rank in range(world)]
    steps = [[i for share in shares for i in share[step]] for step in range(2)]
    assert steps == [[104, 105, 106, 107], [108, 109, 110, 111]]


def test_frames_have_one_stride_and_lie_in_the_video():
    for seed in range(20):
        drawn = draw_frames(5, PHASE, np.random.default_rng(seed))
        assert len(set(np.diff(drawn))) == 1
        assert max(drawn) < 5
    assert draw_frames(2, PHASE, np.random.default_rng(0)) == [0, 1, 1]


@pytest.mark.parametrize(('frames', 'loss_frames'), [(64, 8), (12, 6), (4, 4), (2, 2)])
def test_loss_frames_are_pairs_spread_over_the_clip(frames, loss_frames):
    phase = replace(PHASE, frames=frames, loss_frames=loss_frames)
    for seed in range(20):
        drawn = draw_loss_frames(phase, np.random.default_rng(seed))
        assert len(set(drawn.tolist())) == loss_frames
        assert set(np.diff(drawn)[::2]) == {1}
        assert drawn[:2].tolist() == [0, 1]
        parts = drawn[::2] * (loss_frames // 2) // frames
        assert parts.tolist() == list(range(loss_frames // 2))


def test_the_target_is_that_of_the_loss_frames(tmp_path):
    write_scene(tmp_path / '0.clip.zip', 0)
    pool = VideoPool([SourceConfig(str(tmp_path))])
    every, some = (
        ClipDataset(pool, replace(PHASE, loss_frames=count), AugmentationConfig(), 0)[3]
        for count in (0, 2)
    )
    assert torch.equal(some.rgb, every.rgb)
    torch.testing.assert_close(
        some.inverse_depth, every.inverse_depth[some.loss_frames], equal_nan=True
    )


def test_sources_are_drawn_by_weight(tmp_path):
    for name, clips in (('heavy', 1), ('light', 3)):
        (tmp_path / name).mkdir()
        for i in range(clips):
            write_scene(tmp_path / name / f'{i}.clip.zip', i)
    heavy, light = (SourceConfig(str(tmp_path / name)) for name in ('heavy', 'light'))
    pool = VideoPool([replace(heavy, weight=3.0), light])
    random = np.random.default_rng(0)
    drawn = [pool.draw(random).path.parent.name for _ in range(400)]
    assert 0.68 < drawn.count('heavy') / 400 < 0.82


def test_image_and_depth_are_cropped_equally():
    for seed in range(10):
        rgb, inverse_depth = augment(
            window(140, 210),
            (28, 42),
            replace(PLAIN, zoom=2.0, flip=True),
            np.random.default_rng(seed),
        )[:2]
        columns, rows = np.divmod(inverse_depth[0], 1000.0)
        for channel, position in ((0, rows), (1, columns)):
            np.testing.assert_allclose(rgb[0, ..., channel], position, atol=4.0)


def test_augmentation_without_changes_returns_the_window():
    original = window(28, 42)
    rgb, inverse_depth, focal_px = augment(original, (28, 42), PLAIN, np.random.default_rng(0))
    assert focal_px == original.focal_px
    np.testing.assert_array_equal(rgb, original.rgb)
    np.testing.assert_array_equal(inverse_depth, original.inverse_depth)


def test_a_crop_keeps_the_centre_and_interpolates_no_depth():
    original = window(56, 120)
    inverse_depth = crop_and_resize(original, (28, 42)).inverse_depth
    assert np.isin(inverse_depth, original.inverse_depth).all()
    centre = inverse_depth[0].mean()
    assert centre == pytest.approx(original.inverse_depth[0].mean(), rel=0.02)


def test_colours_change_equally_in_all_frames():
    rgb, inverse_depth, _ = augment(
        window(28, 42), (28, 42), replace(PLAIN, colour=0.3), np.random.default_rng(1)
    )
    assert not np.array_equal(rgb, window(28, 42).rgb)
    np.testing.assert_array_equal(rgb[0], rgb[1])
    np.testing.assert_array_equal(inverse_depth, window(28, 42).inverse_depth)


def test_canonical_depth_is_divided_by_the_zoom():
    original = window(56, 84)
    whole, half = (crop_and_resize(original, (28, 42), zoom) for zoom in (1.0, 2.0))
    assert whole.canonical(0.0, 'clip') is whole
    for each, focal_px in ((whole, 12.5), (half, 25.0)):
        expected = each.inverse_depth * focal_px / (28 * FOCAL)
        np.testing.assert_allclose(each.canonical(FOCAL, 'clip').inverse_depth, expected, 1e-6)
    np.testing.assert_array_equal(half.canonical(FOCAL, 'clip').rgb, half.rgb)


def test_samples_have_the_depth_of_the_canonical_camera(tmp_path):
    write_scene(tmp_path / '0.clip.zip', 0)
    pool = VideoPool([SourceConfig(str(tmp_path))])
    metres, canonical = (ClipDataset(pool, PHASE, PLAIN, 0, focal)[3] for focal in (0.0, FOCAL))
    assert torch.equal(metres.rgb, canonical.rgb)
    video = pool.videos[0]
    focal_px = crop_and_resize(video.read([0]), (28, 42)).focal_px
    expected = metres.inverse_depth * (focal_px / (28 * FOCAL))
    torch.testing.assert_close(canonical.inverse_depth, expected, equal_nan=True)


def test_the_canonical_camera_needs_a_focal_length():
    with pytest.raises(InputError, match=r'image\.png: the focal length is not known'):
        Window(*window()[:2]).canonical(FOCAL, 'image.png')


def test_missing_and_unknown_sources_are_refused(tmp_path):
    with pytest.raises(ConfigError, match='no such folder'):
        find_videos(SourceConfig(str(tmp_path / 'none')))
    with pytest.raises(ConfigError, match='no video of kind'):
        find_videos(SourceConfig(str(tmp_path)))
    with pytest.raises(ConfigError, match='one of clips, stills, tartanair'):
        find_videos(SourceConfig(str(tmp_path), kind='kitty'))


def test_every_step_has_one_of_the_sizes_of_its_phase(tmp_path):
    write_scene(tmp_path / '0.clip.zip', 0)
    phase = replace(PHASE, sizes=((42, 28), (28, 28)))
    dataset = ClipDataset(VideoPool([SourceConfig(str(tmp_path))]), phase, PLAIN, 0)
    sizes = [tuple(dataset[index].rgb.shape[-2:]) for index in range(4 * phase.batch)]
    steps = [set(sizes[i : i + phase.batch]) for i in range(0, len(sizes), phase.batch)]
    assert steps == [{(28, 42)}, {(42, 28)}, {(28, 28)}, {(28, 42)}]
