"""How a network is changed to be fast on a GPU: always, and by the options of `GPU_OPTIONS`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
import logging

import torch
from torch import nn

from flashdepth_ros.network import Network, encoder, fusion
from flashdepth_ros.network.decoder import Head, Level
from flashdepth_ros.runtime.engines.fused_head import fuse_head

_LOG = logging.getLogger(__name__)
_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
_COMPILED = (encoder.Block, fusion.Block, Level)
_GRAPHS = 64
"""Compiled graphs that a function may have, for modules of several sizes and types."""
_PROBES = (140, 196), (700, 700)
"""
Heights and widths of the frames with which the compiler is tried.

The context branch has as many tokens as the student in the first one only, which is another graph.
"""


def arrange(model: Network, lower_precision: bool) -> None:
    """
    Arrange a network on a GPU, with weights of the types that it computes with.

    Convolutions have the layout of their maps, and patches are embedded by a matrix product. In
    lower precision the head computes in fp16, but for its last convolution, and its end in one
    kernel.
    """
    for module in model.modules():
        if isinstance(module, encoder.Encoder):
            module.embeds_by_product = True
        if isinstance(module, Head) and lower_precision:
            module.halve()
            if module.conv1.weight.is_cuda:
                fuse_head(module)
        if isinstance(module, _CONVOLUTIONS):
            weight = module.weight.data
            module.weight.data = weight.contiguous(memory_format=torch.channels_last)


def compile_parts(model: Network, computing: Callable[[], AbstractContextManager[None]]) -> None:
    """
    Compile the parts that a frame spends most time in, once for all sizes.

    If that fails, for example because there is no Triton, they stay as they are.

    :param computing: the context of the network's runs.
    """
    parts = [each for each in model.modules() if isinstance(each, _COMPILED)]
    torch._dynamo.config.cache_size_limit = max(torch._dynamo.config.cache_size_limit, _GRAPHS)
    for each in parts:
        each.compile(dynamic=True)
    weight = next(model.parameters())
    _LOG.info('compiling the network for the GPU: at the first start that takes a minute or more')
    try:
        with computing(), torch._dynamo.config.patch(suppress_errors=False):
            for size in _PROBES:
                frames = torch.zeros(1, 1, 3, *size, device=weight.device)
                model.step(frames, model.check_inputs(frames, None))
    except (torch._dynamo.exc.TorchDynamoException, RuntimeError, OSError) as error:
        for each in parts:
            each._compiled_call_impl = None
        reason = ' '.join(str(error).split('\n')[:2])
        _LOG.warning('gpu_options compiled has no effect: %s', reason)
    # From here on a graph of another size that cannot be compiled runs as it is.
    torch._dynamo.config.suppress_errors = True
