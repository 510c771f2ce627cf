import pytest
import torch
from torch import nn
import torch.nn.functional as F

from flashdepth_ros.network import create_model
from flashdepth_ros.network.config import ConvolutionalEncoderConfig
from flashdepth_ros.network.convolutional_encoder import LITE0, Convolution, ConvolutionalEncoder
from flashdepth_ros.network.decoder import path_size


@pytest.mark.parametrize('kernel', [3, 5])
@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('size', [(8, 8), (9, 7), (8, 7)])
def test_padding_is_that_of_tensorflow(kernel, stride, size):
    torch.manual_seed(0)
    layer, image = Convolution(2, 3, kernel, stride, 1), torch.randn(1, 2, *size)
    with torch.no_grad():
        maps = layer(image)
    rows, columns = (-(-side // stride) for side in size)
    assert maps.shape == (1, 3, rows, columns)
    # Windows are centred as far as possible; a missing column is missing at the end.
    tops = [(rows - 1) * stride + kernel - size[0], (columns - 1) * stride + kernel - size[1]]
    top, left = (max(0, each) // 2 for each in tops)
    surrounded = F.pad(image, (kernel,) * 4)
    for row in range(rows):
        for column in range(columns):
            y, x = row * stride - top + kernel, column * stride - left + kernel
            window = surrounded[0, :, y : y + kernel, x : x + kernel]
            expected = (layer.weight * window).sum((1, 2, 3)) + layer.bias
            torch.testing.assert_close(maps[0, :, row, column], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('size', [(140, 182), (126, 154), (14, 28)])
def test_maps_have_the_resolution_of_their_level(size):
    config = ConvolutionalEncoderConfig()
    encoder = ConvolutionalEncoder(config, (1, 2, 3, 4))
    with torch.inference_mode():
        maps = encoder(torch.randn(2, 3, *size))
    grid = size[0] // 14, size[1] // 14
    assert [tuple(each.shape[-2:]) for each in maps[:3]] == [
        path_size(grid, level) for level in (2, 3, 4)
    ]
    assert maps[3].shape[-2:] == (-(-grid[0] // 2), -(-grid[1] // 2))
    assert tuple(each.shape[1] for each in maps) == config.channels


def test_stages_after_the_last_tap_are_not_built():
    config = ConvolutionalEncoderConfig()
    assert len(ConvolutionalEncoder(config, (1, 2)).stages) == config.taps[1] + 1
    assert len(ConvolutionalEncoder(config, (3, 4)).stages) == len(LITE0)


def test_detail_path_lets_a_single_pixel_change_its_own_depth():
    torch.manual_seed(0)
    head = create_model('flashdepth-lite').decoder.head
    path, frames = torch.randn(1, 32, 16, 16), torch.zeros(1, 3, 28, 28)
    changed = frames.clone()
    changed[..., 10, 10] = 5.0
    nn.init.zeros_(head.detail.coarse.weight)  # what reaches only as far as three pixels is left
    with torch.inference_mode():
        difference = (head(path, (28, 28), changed) - head(path, (28, 28), frames))[0].abs()
    assert difference[10, 10] > 0
    near = torch.zeros(28, 28, dtype=torch.bool)
    near[7:14, 7:14] = True
    assert not difference[~near].any()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float64])
def test_a_depthwise_convolution_in_another_precision_has_gradients(dtype):
    depthwise = Convolution(4, 4, 3, 1, 4).to(dtype)
    depthwise(torch.ones(1, 4, 5, 5, dtype=dtype)).sum().backward()
    assert depthwise.weight.grad.dtype == dtype
