"""Outputs computed on the device of the network equal those computed from arrays."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from flashdepth_ros.camera.calibration import Camera
from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.camera.lens import Lens
from flashdepth_ros.errors import ConfigError
from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.device_depth import DeviceDepth
from flashdepth_ros.runtime.device_products import DeviceProducts
from flashdepth_ros.runtime.engines import EngineChoice
from flashdepth_ros.runtime.engines.requested import split_options
from flashdepth_ros.runtime.products import Products, RayCache, products_of
from flashdepth_ros.runtime.scale.fit import Scale
from flashdepth_ros.runtime.settings import Settings
from support import golden_models
from support.gpu_on_cpu import LateEvent, emulate_gpu

PRESET = 'flashdepth-tiny-s'
HEIGHT, WIDTH = 90, 125


class Image:
    stamp_ns, frame_id = 0, 'camera'

    def __init__(self, height=HEIGHT, width=WIDTH):
        self.rgb = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
        self.rgb.flags.writeable = False
        pinhole = Intrinsics(width, height, 80.0, 82.0, 60.0, 44.0)
        self.camera = Camera(None, pinhole, Lens('plumb_bob', (0.1, -0.05, 0.001, 0.002, 0.0)))


def inverse_depth_with_all_special_values():
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    inverse = np.float32(0.5) + np.sin(rows / 20) * np.cos(columns / 30)
    inverse[random.random(inverse.shape) < 0.05] *= 3
    inverse[random.random(inverse.shape) < 0.1] = np.nan
    inverse[:, 40:60] *= 1e-3
    inverse[3:6, 7:11] = [0.0, -0.0, np.inf, 1e-42]
    return inverse


def both(settings, image=None, **options):
    inverse, rays = inverse_depth_with_all_special_values(), RayCache()
    common = inverse, image or Image(), settings, rays
    on_device = DeviceDepth(torch.from_numpy(inverse), LateEvent())
    return Products(*common, **options), DeviceProducts(*common, **options, on_device=on_device)


def assert_same_bits(found, expected):
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    # NaN has several patterns; the fourth number of a point is a colour and no number.
    if found.dtype == np.float32:
        np.testing.assert_array_equal(found[..., :3], expected[..., :3])
        found, expected = found[..., 3:].view(np.uint32), expected[..., 3:].view(np.uint32)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    'scale', [None, Scale(0.37), Scale(2.5, 0.04), Scale(1.0, -0.01)], ids=str
)
@pytest.mark.parametrize('encoding', ['32FC1', '16UC1'])
def test_depth_and_preview_are_the_same(encoding, scale):
    settings = Settings(depth_encoding=encoding, depth_scale=1.7, depth_max=60.0)
    expected, found = both(settings, scale=scale)
    np.testing.assert_array_equal(found.depth, expected.depth)
    assert_same_bits(found.depth_pixels, expected.depth_pixels)
    assert_same_bits(found.preview, expected.preview)


@pytest.mark.parametrize('color', [True, False])
@pytest.mark.parametrize('stride', [1, 3, 4])
@pytest.mark.parametrize('filters', [{}, {'points_edge_threshold': 0.2}, 'confidence'])
def test_the_cloud_is_the_same(stride, color, filters):
    settings, options = Settings(points_stride=stride, points_color=color), {}
    if filters == 'confidence':
        settings = replace(settings, points_min_confidence=0.5)
        confidence = np.random.default_rng(2).random((HEIGHT, WIDTH)).astype(np.float32)
        options = {'confidence': confidence}
    elif filters:
        settings = replace(settings, **filters)
    expected, found = both(settings, **options)
    assert_same_bits(found.cloud, expected.cloud)
    assert 0.1 < np.isnan(found.cloud[..., 0]).mean() < 0.9


def test_the_image_may_have_another_size_and_no_camera():
    expected, found = both(Settings(), Image(2 * HEIGHT, 2 * WIDTH))
    assert_same_bits(found.cloud, expected.cloud)
    image = Image()
    image.camera = None
    _, found = both(Settings(), image)
    assert found.cloud is None
    assert found.camera_info is None


@pytest.mark.parametrize('on_gpu', [True, False])
def test_frames_of_a_gpu_carry_their_depth(on_gpu):
    weights = golden_models.golden_model(PRESET).state_dict()
    estimator = DepthEstimator(PRESET, weights, 'cpu', 'fp32', 'torch')
    if on_gpu:
        emulate_gpu(estimator, PRESET)
    image = Image(56, 70)
    frame = estimator.estimate(image.rgb, 0)
    products = products_of(frame, image, Settings(), RayCache())
    assert isinstance(products, DeviceProducts) == on_gpu
    np.testing.assert_array_equal(
        products.depth, Products(frame.inverse_depth, image, Settings(), RayCache()).depth
    )


def test_unknown_options_are_refused_with_the_known_ones():
    assert split_options(' compiled , ') == ('compiled',)
    assert split_options('') == ()
    with pytest.raises(ConfigError, match="GPU option 'turbo'; expected one of compiled"):
        EngineChoice(options=split_options('compiled,turbo')).check_names()
