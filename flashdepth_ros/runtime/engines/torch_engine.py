"""The network as it is, by PyTorch: on the CPU or a GPU."""

from collections.abc import Callable
import logging

import torch
from torch import Tensor, nn

from flashdepth_ros.network import FlashDepth, StreamState
from flashdepth_ros.runtime.engines.engine import Result
from flashdepth_ros.runtime.engines.processor import usable_cores

DTYPES = {'fp32': torch.float32, 'bf16': torch.bfloat16, 'fp16': torch.float16}
_LOG = logging.getLogger(__name__)
_MULTIPLYING = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)


class TorchEngine:
    """
    Runs the module itself.

    :param keep: leave the module's weights as they are, for another user of it; slower where
        `precision` is not theirs.
    """

    name = 'torch'
    why = ''

    def __init__(
        self, model: FlashDepth, device: torch.device, precision: str, *, keep: bool = False
    ) -> None:
        self.device = device
        self.precision = precision
        self._dtype = DTYPES[precision]
        self._model = model.to(device)
        if not keep:
            store_in(self._model, self._dtype)
        self._network: Callable[[Tensor, StreamState | None], Result] = self._model
        if device.type == 'cpu':
            torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))

    def run(self, frames: Tensor, state: StreamState | None) -> Result:
        """Do what `FlashDepth.forward` does, on frames that lie on the engine's device."""
        lower = self._dtype != torch.float32
        with torch.inference_mode(), torch.autocast(self.device.type, self._dtype, enabled=lower):
            return self._network(frames, state)

    def prepare(self, frames: Tensor) -> None:
        """Run one frame, so that caches are filled."""
        self.run(frames[:1], None)

    def device_memory_bytes(self) -> int:
        """Return how much of the device's own memory is taken; 0 on the CPU."""
        return torch.cuda.memory_reserved(self.device) if self.device.type == 'cuda' else 0


class CompiledTorchEngine(TorchEngine):
    """
    Runs what `torch.compile` makes of the module, once for each shape of frames.

    The first frame of a shape waits for that, a minute or so. Where it fails, for want of a C++
    compiler, say, the module itself runs on.
    """

    name = 'torch_compile'

    def __init__(self, model: FlashDepth, device: torch.device, precision: str) -> None:
        super().__init__(model, device, precision)
        self._network = torch.compile(self._model, dynamic=False)

    def run(self, frames: Tensor, state: StreamState | None) -> Result:
        """Do what `FlashDepth.forward` does, on frames that lie on the engine's device."""
        state = self._model.checked(frames, state)
        try:
            return super().run(frames, state)
        except torch._dynamo.exc.TorchDynamoException as error:
            _LOG.warning('torch runs without torch.compile: %s', str(error).splitlines()[0])
            self._network = self._model
            return super().run(frames, state)


def store_in(model: FlashDepth, dtype: torch.dtype) -> None:
    """Store once, in `dtype`, the weights that autocast would otherwise convert at every frame."""
    if dtype == torch.float32:
        return
    head = set() if model.decoder.head is None else set(model.decoder.head.modules())
    for module in model.modules():
        if isinstance(module, _MULTIPLYING) and module not in head:
            module.to(dtype)
