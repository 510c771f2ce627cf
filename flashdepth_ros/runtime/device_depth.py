"""Inverse depth that stays on the device of the network, for work beside the next frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


class DeviceDepth:
    """
    Inverse depth (H, W) of a frame on a device.

    :param computed: an event of the device, reached when inverse depth is there; None: it is.
    :param stream: for further work, so that it does not wait for the next frame; None on a CPU.
    """

    def __init__(
        self, inverse_depth: Tensor, computed: Any = None, stream: torch.cuda.Stream | None = None
    ) -> None:
        self.inverse_depth = inverse_depth
        self._computed, self._stream = computed, stream

    @contextmanager
    def work(self) -> Iterator[None]:
        """Submit the work of the context behind the network; `fetch` its results inside."""
        with torch.inference_mode(), torch.cuda.stream(self._stream):  # nothing for None
            if self._stream is not None:
                self._stream.wait_event(self._computed)
            elif self._computed is not None:
                self._computed.synchronize()
            yield

    def upload(self, array: npt.NDArray[Any]) -> Tensor:
        """Return an array on the device."""
        # A copy, because the array may be read-only.
        return torch.from_numpy(np.array(array)).to(self.inverse_depth.device)

    def fetch(self, result: Tensor) -> npt.NDArray[Any]:
        """Return a result of the work as an array, in one copy, once it is computed."""
        if self._stream is None:
            return result.contiguous().numpy()
        host = torch.empty(result.shape, dtype=result.dtype, pin_memory=True)
        host.copy_(result, non_blocking=True)
        self._stream.record_event().synchronize()
        return host.numpy()
