"""What the options of `GPU_OPTIONS` change in a network and around its runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from inspect import signature
import logging

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network import Network, State
from flashdepth_ros.network.decoder import Head
from flashdepth_ros.network.encoder import Block, Encoder
from flashdepth_ros.runtime.engines.network_step import Step

_LOG = logging.getLogger(__name__)
_ATTENTION = (
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
)
"""The first one that supports the inputs computes them."""
_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
_PROBE_TOKENS = 10


def check_versions(options: Collection[str]) -> None:
    """
    Check that this PyTorch has what options need.

    :raises ConfigError: it is too old.
    """
    if 'cudnn_attention' in options and 'set_priority' not in signature(sdpa_kernel).parameters:
        raise ConfigError(
            f'gpu_options cudnn_attention needs a newer torch than {torch.__version__}: pip '
            "install 'torch>=2.7', or leave it out"
        )


def change_network(
    model: Network, options: Collection[str], computing: Callable[[], AbstractContextManager[None]]
) -> None:
    """
    Change a network on its device, with weights of the types that it computes with.

    :param computing: the context of its runs.
    """
    for module in model.modules():
        if isinstance(module, Encoder) and 'patch_product' in options:
            module.embeds_by_product = True
        if isinstance(module, Head) and 'half_head' in options:
            module.halve()
        if isinstance(module, _CONVOLUTIONS) and 'channels_last' in options:
            weight = module.weight.data
            module.weight.data = weight.contiguous(memory_format=torch.channels_last)
    if 'compiled_blocks' in options:
        with computing():
            _compile_blocks([each for each in model.modules() if isinstance(each, Block)])


def _compile_blocks(blocks: list[Block]) -> None:
    """Compile the blocks of encoders, once for all sizes; keep them as they are if that fails."""
    for block in blocks:
        block.compile(dynamic=True)
    try:
        for block in blocks:
            weight = block.norm1.weight
            block(torch.zeros(1, _PROBE_TOKENS, len(weight), device=weight.device))
    except (torch._dynamo.exc.TorchDynamoException, RuntimeError, OSError) as error:
        for block in blocks:
            block._compiled_call_impl = None
        reason = ' '.join(str(error).split('\n')[:2])
        _LOG.warning('gpu_options compiled_blocks has no effect: %s', reason)


def run_step(
    step: Step, options: Collection[str], frames: Tensor, state: State | None
) -> tuple[Tensor, Sequence[Tensor]]:
    """Run the step of a network, or capture it."""
    if 'cudnn_attention' not in options:
        return step(frames, state)
    with sdpa_kernel(list(_ATTENTION), set_priority=True):
        return step(frames, state)


@contextmanager
def capturing(options: Collection[str]) -> Iterator[None]:
    """Warm up and capture in this context: cuDNN may time its algorithms and take the fastest."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = before or 'cudnn_benchmark' in options
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
