import numpy as np
import pytest
import torch

from flashdepth_ros.network.presets import preset
from flashdepth_ros.runtime.preprocess import MEAN, STD, InferenceSize, resize_on_cpu
from flashdepth_ros.runtime.tensor_transfer import CpuTensorTransfer, resize_on_device
from support import golden_recipe


@pytest.mark.parametrize(
    ('model', 'options', 'image', 'expected'),
    [
        ('flashdepth-s', (0, 2044), (1148, 2044), (518, 924)),
        ('flashdepth-s', (0, 2044), (480, 640), (490, 644)),
        ('flashdepth-s', (0, 2044), (448, 588), (448, 588)),
        ('flashdepth-s', (1148, 2044), (1148, 2044), (1148, 2044)),
        ('flashdepth-s', (1148, 2044), (2160, 3840), (1148, 2044)),
        ('flashdepth-s', (252, 2044), (480, 640), (252, 336)),
        ('flashdepth-s', (252, 2044), (640, 480), (336, 252)),
        ('flashdepth-s', (504, 2044), (252, 336), (504, 672)),
        ('flashdepth-s', (252, 280), (100, 400), (70, 280)),
        ('flashdepth-s', (0, 2044), (1, 1), (14, 14)),
        # A limit of the preset's own, unless a short side is set.
        ('flashdepth-lite', (0, 2044), (480, 640), (448, 588)),
        ('flashdepth-lite', (0, 2044), (720, 1280), (336, 588)),
        ('flashdepth-lite', (0, 2044), (1280, 720), (588, 336)),
        ('flashdepth-lite', (0, 2044), (375, 1242), (182, 588)),
        ('flashdepth-lite', (0, 280), (720, 1280), (168, 280)),
        ('flashdepth-lite', (448, 2044), (720, 1280), (448, 798)),
        ('flashdepth-lite', (0, 2044), (120, 160), (126, 168)),
    ],
)
def test_inference_size(model, options, image, expected):
    assert InferenceSize(*options).for_image(*image, preset(model)) == expected


@pytest.mark.parametrize('size', [(490, 644), (448, 602), (480, 640), (240, 320)])
def test_resizing_on_cpu_and_device_agrees(size):
    image = golden_recipe.frame_uint8(0, 480, 640)
    by_torch = resize_on_device(torch.from_numpy(image), size)
    np.testing.assert_allclose(
        resize_on_cpu(image, size).transpose(2, 0, 1)[None], by_torch, atol=0.01
    )


@pytest.mark.parametrize(
    ('image_size', 'size'),
    [((1080, 1920), (448, 588)), ((480, 640), (112, 154)), ((99, 140), (42, 56))],
)
def test_areas_on_the_device_are_those_of_opencv(image_size, size):
    image = np.random.default_rng(0).integers(0, 256, (*image_size, 3), np.uint8)
    by_torch = resize_on_device(torch.from_numpy(image), size)[0]
    np.testing.assert_allclose(by_torch, resize_on_cpu(image, size).transpose(2, 0, 1), atol=2e-3)


def test_strong_downscaling_averages():
    stripes = np.zeros((448, 448, 3), np.uint8)
    stripes[:, ::2] = 255
    small = CpuTensorTransfer().upload(stripes, (112, 112))[0, 0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(small * STD + MEAN, 0.5, atol=1e-5)
