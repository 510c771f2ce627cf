"""Run the network with PyTorch on the CPU or a GPU, eagerly or with torch.compile."""

from collections.abc import Iterator
from contextlib import contextmanager
import logging

import torch
from torch import Tensor, nn

from flashdepth_ros.network import Network, State, VideoDepthAnything
from flashdepth_ros.runtime.engines.network_step import Result, Step, run_step
from flashdepth_ros.runtime.engines.processor import usable_cores
from flashdepth_ros.runtime.tensor_transfer import create_transfer
from flashdepth_ros.runtime.transfer import Transfer

DTYPES = {'fp32': torch.float32, 'bf16': torch.bfloat16, 'fp16': torch.float16}
_LOG = logging.getLogger(__name__)
_AUTOCAST_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)


class TorchEngine:
    """
    Runs the module in eager mode.

    :param keep_weights: do not convert the module's weights, because something else uses them;
        slower if `precision` is not fp32.
    """

    name = 'torch'
    reason = ''
    input_size = None

    def __init__(
        self,
        model: Network,
        device: torch.device,
        precision: str,
        *,
        keep_weights: bool = False,
    ) -> None:
        self.device = device
        self.precision = precision
        self._dtype = DTYPES[precision]
        if device.type != 'cpu':
            _compute_in_ieee_float32()
        self._model = model.to(device)
        if not keep_weights:
            convert_weights(self._model, self._dtype)
        self._step: Step = self._model.step
        if device.type == 'cpu':
            torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))

    def create_transfer(self) -> Transfer:
        """See `Engine.create_transfer`."""
        return create_transfer(self.device)

    def run(self, frames: Tensor, state: State | None, *, reuse_state: bool = False) -> Result:
        """See `Engine.run`."""
        with self.computing():
            state = self._model.check_inputs(frames, state)
            return run_step(self._step, frames, state, reuse_state=reuse_state)

    def run_window(self, frames: Tensor) -> Tensor:
        """Run `VideoDepthAnything.estimate_window` on frames on the engine's device, eagerly."""
        assert isinstance(self._model, VideoDepthAnything)
        with self.computing():
            return self._model.estimate_window(frames)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Run in this context: without gradients, with autocast in lower precision."""
        lower = self._dtype != torch.float32
        with torch.inference_mode(), torch.autocast(self.device.type, self._dtype, enabled=lower):
            yield

    def prepare(self, frames: Tensor) -> None:
        """Run one frame to fill caches."""
        self.run(frames[:1], None)

    def device_memory_bytes(self) -> int:
        """Return the memory that PyTorch reserved on the GPU; 0 on the CPU."""
        return torch.cuda.memory_reserved(self.device) if self.device.type == 'cuda' else 0


class CompiledTorchEngine(TorchEngine):
    """
    Runs the module compiled by `torch.compile`, once for each shape of frames.

    The first frame of a shape waits about a minute for the compilation. If that fails, for example
    because there is no C++ compiler or no writable temporary folder, the module runs in eager mode
    and `name` is that of the eager engine.
    """

    name = 'torch_compile'

    def __init__(self, model: Network, device: torch.device, precision: str) -> None:
        super().__init__(model, device, precision)
        try:
            self._step = torch.compile(self._model.step, dynamic=False)
        except OSError as error:
            self._use_eager_mode(error)

    def run(self, frames: Tensor, state: State | None, *, reuse_state: bool = False) -> Result:
        """See `Engine.run`."""
        if self.name != TorchEngine.name:
            try:
                return super().run(frames, state, reuse_state=reuse_state)
            except (torch._dynamo.exc.TorchDynamoException, OSError) as error:
                self._use_eager_mode(error)
        return super().run(frames, state, reuse_state=reuse_state)

    def _use_eager_mode(self, error: Exception) -> None:
        _LOG.warning('torch.compile failed; using eager mode: %s', str(error).splitlines()[0])
        self._step, self.name = self._model.step, TorchEngine.name


def _compute_in_ieee_float32() -> None:
    """
    Compute float32 in IEEE precision in this process.

    By default PyTorch computes products in it, but convolutions in TF32, which has the mantissa
    of fp16: the head, which is in float32 in every precision, would not be.
    """
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


def convert_weights(model: Network, dtype: torch.dtype) -> None:
    """Convert the weights to `dtype` that autocast would otherwise convert at every frame."""
    if dtype == torch.float32:
        return
    head = set() if model.decoder.head is None else set(model.decoder.head.modules())
    for module in model.modules():
        if isinstance(module, _AUTOCAST_LAYERS) and module not in head:
            module.to(dtype)
