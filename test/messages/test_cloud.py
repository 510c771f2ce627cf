import math

import cv2
import numpy as np
import pytest

from flashdepth_ros.camera.geometry import back_project
from flashdepth_ros.errors import InputError
from flashdepth_ros.messages import CLOUD_FIELDS, cloud_data

INF, NAN = math.inf, math.nan
RGB = cv2.resize(np.random.default_rng(2).integers(0, 256, (3, 4, 3), np.uint8), (64, 48))
DIRECTIONS = np.random.default_rng(6).normal(size=(48, 64, 2)).astype(np.float32)
DEPTH = np.random.default_rng(7).uniform(0.1, 9.0, (48, 64)).astype(np.float32)
DEPTH[3, 4], DEPTH[4, 2], DEPTH[6, 8] = NAN, INF, -INF


@pytest.mark.parametrize('stride', [1, 2])
def test_cloud_contains_points_and_colours(stride):
    depth, directions, rgb = (each[::stride, ::stride] for each in (DEPTH, DIRECTIONS, RGB))
    cloud = cloud_data(depth, directions, rgb)
    assert cloud.flags.c_contiguous
    assert cloud.strides[1] == 16
    np.testing.assert_array_equal(cloud[..., :3], back_project(depth, directions))
    red, green, blue = np.moveaxis(rgb.astype(np.uint32), -1, 0)
    packed = cloud.view(np.uint32)[..., 3]
    np.testing.assert_array_equal(packed, red << 16 | green << 8 | blue)


def test_cloud_without_colours_contains_points_only():
    cloud = cloud_data(DEPTH, DIRECTIONS)
    np.testing.assert_array_equal(cloud, back_project(DEPTH, DIRECTIONS))
    assert cloud.flags.c_contiguous
    assert cloud.strides[1] == 12


def test_cloud_fields_describe_consecutive_floats():
    fields = [(field.name, field.offset, field.datatype, field.count) for field in CLOUD_FIELDS]
    assert fields == [('x', 0, 7, 1), ('y', 4, 7, 1), ('z', 8, 7, 1), ('rgb', 12, 7, 1)]


def test_colours_of_another_size_are_rejected():
    with pytest.raises(InputError, match=r'\(1, 64, 3\).*\(48, 64\)'):
        cloud_data(DEPTH, DIRECTIONS, RGB[:1])
