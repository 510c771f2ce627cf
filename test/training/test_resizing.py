"""Resized maps have the depths of surfaces only, and keep the points of a lidar."""

import cv2
import numpy as np
import pytest

from flashdepth_ros.camera.sampling import is_dense
from flashdepth_ros.training.augmentation import crop_and_resize
from flashdepth_ros.training.resizing import resize_inverse_depth
from flashdepth_ros.training.video import Window

SIZES = [(28, 42), (56, 84), (100, 42), (224, 294)]


def lidar(shape=(75, 242), share=0.05, seed=0):
    """Return inverse depth known in single pixels, of them one in twenty infinitely far."""
    random = np.random.default_rng(seed)
    values = random.uniform(0.01, 0.5, shape) * (random.random(shape) > 0.05)
    return np.where(random.random(shape) < share, values, np.nan).astype(np.float32)


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('share', [0.0, 0.002, 0.05, 0.3])
def test_every_point_is_in_the_pixel_that_contains_it_unless_a_nearer_one_is(size, share):
    points = lidar(share=share)
    resized = resize_inverse_depth(points, size, dense=False)
    assert resized.shape == size
    assert resized.dtype == np.float32
    inside = [[[] for _ in range(size[1])] for _ in range(size[0])]
    for row, column in np.argwhere(np.isfinite(points)):
        place = (row + 0.5) * size[0] / 75, (column + 0.5) * size[1] / 242
        inside[int(place[0])][int(place[1])].append(points[row, column])
    expected = [[max(each, default=np.nan) for each in row] for row in inside]
    np.testing.assert_array_equal(resized, np.array(expected, np.float32))


@pytest.mark.parametrize('dense', [True, False])
def test_the_same_size_changes_nothing(dense):
    points = lidar()
    np.testing.assert_array_equal(resize_inverse_depth(points, points.shape, dense), points)


@pytest.mark.parametrize('size', SIZES)
def test_a_dense_map_is_sampled(size):
    random = np.random.default_rng(1)
    dense = random.uniform(0.0, 1.0, (75, 242)).astype(np.float32)
    dense[10:20, 30:60] = np.nan
    dense[:9] = 0.0
    resized = resize_inverse_depth(dense, size, dense=True)
    assert np.isin(resized[np.isfinite(resized)], dense).all()
    expected = cv2.resize(dense, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    np.testing.assert_array_equal(resized, expected)


def cropped(inverse_depth, size, zoom=1.0):
    rgb = np.zeros((1, *inverse_depth.shape, 3), np.uint8)
    return crop_and_resize(Window(rgb, inverse_depth[None]), size, zoom).inverse_depth[0]


@pytest.mark.parametrize(('size', 'kept'), [((448, 588), 0.95), ((224, 294), 0.9)])
@pytest.mark.parametrize('zoom', [1.0, 2.0])
def test_a_lidar_as_in_kitti_keeps_its_points(size, kept, zoom):
    points = lidar((375, 1242))
    assert not is_dense(points)
    height, width = round(375 / zoom), round(375 * size[1] / size[0] / zoom)
    known = np.count_nonzero(np.isfinite(cropped(points, size, zoom)))
    assert known > kept * 0.05 * height * width


def test_a_crop_samples_a_dense_map_as_a_whole_even_if_little_is_known_in_it():
    dense = np.ones((60, 80), np.float32)
    dense[20:40, 20:60] = np.nan
    dense[30, 30:50:2] = 0.5
    assert is_dense(dense)
    assert not is_dense(dense[20:40, 26:54])
    result = cropped(dense, (14, 19), zoom=3.0)
    expected = cv2.resize(dense[20:40, 26:53], (19, 14), interpolation=cv2.INTER_NEAREST_EXACT)
    np.testing.assert_array_equal(result, expected)
