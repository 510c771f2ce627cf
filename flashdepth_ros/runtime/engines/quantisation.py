"""Quantise weights and activations of an OpenVINO network to int8 with NNCF."""

from typing import Any

import nncf
import torch
from torch import Tensor

from flashdepth_ros.network import Network


def quantise(network: Any, model: Network, frames: Tensor) -> Any:
    """
    Return the network in int8, except for layers whose quantisation visibly changes depth.

    :param model: the same network in PyTorch; it computes the states for the frames.
    :param frames: a stream (B, T, 3, H, W) with typical value ranges.
    """
    return nncf.quantize(
        network,
        nncf.Dataset(calibration_samples(model, frames)),
        subset_size=frames.shape[1],
        preset=nncf.QuantizationPreset.MIXED,
        model_type=nncf.ModelType.TRANSFORMER,
        ignored_scope=nncf.IgnoredScope(names=unquantised_layers(network)),
    )


def calibration_samples(model: Network, frames: Tensor) -> list[list[Any]]:
    """Return the inputs of the network for every frame of a stream."""
    samples, state = [], None
    with torch.inference_mode():
        for frame in frames.split(1, dim=1):
            before = model.check_inputs(frame, state)
            samples.append([part.numpy() for part in (frame, *(before or ()))])
            _, state = model(frame, before)
    return samples


def unquantised_layers(network: Any) -> list[str]:
    """Return the names of layers not to quantise: the first, the last and the recurrent scan."""
    layers = network.get_ordered_ops()
    convolutions = [each for each in layers if each.get_type_name() == 'Convolution']
    first = [each for each in convolutions if each.input(1).get_shape()[1] == 3]
    scan = [each for each in layers if each.get_type_name() == 'GroupConvolution']
    scan += [each for each in layers if each.get_type_name() == 'MatMul' and not _has_weight(each)]
    return [each.get_friendly_name() for each in (*first, convolutions[-1], *scan)]


def _has_weight(product: Any) -> bool:
    """Return whether one factor of a matrix product is a constant, possibly transposed."""
    sides = [product.input_value(index).get_node() for index in range(2)]
    sides += [value.get_node() for side in sides for value in side.input_values()]
    return any(side.get_type_name() == 'Constant' for side in sides)
