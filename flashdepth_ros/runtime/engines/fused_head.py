"""Let one kernel compute the end of a head, where the head and the machine allow it."""

from functools import partial
import logging

import torch

from flashdepth_ros.network.decoder import Head

_LOG = logging.getLogger(__name__)
_CHANNELS = (16, 32, 64, 128)
"""Channels that the kernel takes: powers of two, at least those of one matrix instruction."""


def fuse_head(head: Head) -> None:
    """
    Compute the end of a head, after `conv1`, in one kernel of Triton.

    A head with a detail path, one with other channels, and one on a machine where Triton does not
    work stay as they are; one line of the log gives the reason.

    :param head: on its device, halved.
    """
    reason = _unsupported(head) or _install_kernel(head)
    if reason:
        _LOG.info('the end of the head is not one kernel: %s', reason)


def _unsupported(head: Head) -> str:
    """Return why the kernel cannot compute this head, '' if it can."""
    if head.detail is not None:
        return 'the model has a detail path'
    for count in (head.conv2.in_channels, head.conv2.out_channels):
        if count not in _CHANNELS:
            expected = ', '.join(map(str, _CHANNELS))
            return f'a convolution of the head has {count} channels, expected one of {expected}'
    return ''


@torch.no_grad()
def _install_kernel(head: Head) -> str:
    """Make the kernel compute the end of the head; return why that fails, '' if it works."""
    try:
        from flashdepth_ros.runtime.engines.head_kernel import HeadWeights, finish

        taps, *vectors = (*head.conv2.parameters(), *head.conv3.parameters())
        weights = HeadWeights(
            taps=taps.permute(2, 3, 1, 0).flatten(0, 1).contiguous(),
            vectors=torch.cat([each.float().flatten() for each in vectors]),
        )
        probe = weights.taps.new_zeros(1, head.conv2.in_channels, 2, 3)
        finish(weights, probe, (3, 5)).cpu()  # compiles, and waits for the result
    except Exception as error:  # noqa: BLE001 - compilers and drivers fail with errors of any type
        return str(error).partition('\n')[0] or type(error).__name__
    head.finish = partial(finish, weights)
    return ''
