"""Multi-head scaled dot-product attention, used by the encoder and the fusion."""

import torch
from torch import Tensor
import torch.nn.functional as F

_MATMUL_SCORES = 2_000_000
"""Most scores per head for which plain matrix products are trained with on a CPU."""


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """
    Compute multi-head attention.

    :param query: (B, N, C); key and value are (B, M, C).
    :return: (B, N, C).
    """
    if query.is_cuda and torch.compiler.is_compiling() and not torch.is_grad_enabled():
        return _attend_opaquely(query, key, value, heads)
    query, key, value = (
        part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (query, key, value)
    )
    scores = query.shape[-2] * key.shape[-2]
    if query.device.type == 'cpu' and torch.is_grad_enabled() and scores <= _MATMUL_SCORES:
        attended = _attend_by_matmul(query, key, value)
    else:
        attended = F.scaled_dot_product_attention(query, key, value)
    return attended.transpose(1, 2).flatten(2)


@torch.library.custom_op('flashdepth_ros::attend', mutates_args=())
def _attend_opaquely(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """
    Do the same as `attend`, as one operation that `torch.compile` does not look into.

    Otherwise the compiler would choose the backend of attention, without running any.
    """
    return attend(query, key, value, heads).contiguous()


@_attend_opaquely.register_fake
def _(query: Tensor, _key: Tensor, _value: Tensor, _heads: int) -> Tensor:
    return torch.empty_like(query, memory_format=torch.contiguous_format)


def _attend_by_matmul(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """
    Compute attention with plain matrix products; stores (B, heads, N, M) scores for the gradient.

    For training on a CPU in bf16, forward and backward take 0.2 times the time of PyTorch's fused
    kernel for 131 tokens, 0.6 times for 337, 0.8 times for 1345, but 1.7 times for 5376 with
    1344 keys.
    """
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
    return scores.softmax(dim=-1) @ value
