"""A network of OpenVINO in int8, weights and what passes between layers, by NNCF."""

from typing import Any

import nncf
import torch
from torch import Tensor

from flashdepth_ros.network import FlashDepth


def quantised(network: Any, model: FlashDepth, frames: Tensor) -> Any:
    """
    Return the network in int8, but for what the eye of a costmap would see.

    :param model: the same network in PyTorch; it gives the states that go with the frames.
    :param frames: a stream (B, T, 3, H, W) whose ranges of numbers are typical.
    """
    return nncf.quantize(
        network,
        nncf.Dataset(samples(model, frames)),
        subset_size=frames.shape[1],
        preset=nncf.QuantizationPreset.MIXED,
        model_type=nncf.ModelType.TRANSFORMER,
        ignored_scope=nncf.IgnoredScope(names=kept(network)),
    )


def samples(model: FlashDepth, frames: Tensor) -> list[list[Any]]:
    """Return what goes into the network at every frame of a stream."""
    given, state = [], None
    with torch.inference_mode():
        for frame in frames.split(1, dim=1):
            before = model.checked(frame, state)
            given.append([frame.numpy()] + ([] if before is None else [before.ssm.numpy()]))
            _, state = model(frame, before)
    return given


def kept(network: Any) -> list[str]:
    """Name the layers that stay as they are: the first, the last, and the recurrent scan."""
    layers = network.get_ordered_ops()
    convolutions = [each for each in layers if each.get_type_name() == 'Convolution']
    first = [each for each in convolutions if each.input(1).get_shape()[1] == 3]
    scan = [each for each in layers if each.get_type_name() == 'GroupConvolution']
    scan += [each for each in layers if each.get_type_name() == 'MatMul' and not _has_weight(each)]
    return [each.get_friendly_name() for each in (*first, convolutions[-1], *scan)]


def _has_weight(product: Any) -> bool:
    """Tell whether one side of a matrix product is a constant, perhaps transposed."""
    sides = [product.input_value(index).get_node() for index in range(2)]
    sides += [value.get_node() for side in sides for value in side.input_values()]
    return any(side.get_type_name() == 'Constant' for side in sides)
