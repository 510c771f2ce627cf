"""What runs the network: one interface, chosen by device, precision and name."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network import FlashDepth, StreamState

PRECISIONS = {'fp32': torch.float32, 'bf16': torch.bfloat16, 'fp16': torch.float16}
_MULTIPLYING = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)
ENGINES = ('auto', 'torch')


@dataclass(frozen=True)
class EngineChoice:
    """What was asked for: each 'auto' or a name."""

    device: str = 'auto'
    precision: str = 'auto'
    engine: str = 'auto'


class Engine(Protocol):
    """Runs one model; the state goes in and comes out as a value."""

    device: torch.device
    precision: str
    name: str

    def run(self, frames: Tensor, state: StreamState | None) -> tuple[Tensor, StreamState | None]:
        """Do what `FlashDepth.forward` does, on frames that lie on the engine's device."""

    def device_memory_bytes(self) -> int:
        """Return how much of the device's own memory is taken; 0 on the CPU."""


class TorchEngine:
    """Runs the module itself, on the CPU or a GPU."""

    name = 'torch'

    def __init__(self, model: FlashDepth, device: torch.device, precision: str) -> None:
        self.device = device
        self.precision = precision
        self._dtype = PRECISIONS[precision]
        self._model = _in_precision(model.to(device), self._dtype)

    def run(self, frames: Tensor, state: StreamState | None) -> tuple[Tensor, StreamState | None]:
        """Do what `FlashDepth.forward` does, on frames that lie on the engine's device."""
        lower = self._dtype != torch.float32
        with torch.inference_mode(), torch.autocast(self.device.type, self._dtype, enabled=lower):
            inverse_depth, state = self._model(frames, state)
        return inverse_depth, state

    def device_memory_bytes(self) -> int:
        """Return how much of the device's own memory is taken; 0 on the CPU."""
        return torch.cuda.memory_reserved(self.device) if self.device.type == 'cuda' else 0


def create_engine(model: FlashDepth, choice: EngineChoice) -> Engine:
    """
    Return the engine for a choice, resolving every 'auto'.

    :raises ConfigError: a name that is not known, or a device that this machine does not have.
    """
    if choice.engine not in ENGINES:
        raise ConfigError(f'engine {choice.engine!r} is not known; one of {", ".join(ENGINES)}')
    device = choose_device(choice.device)
    return TorchEngine(model, device, choose_precision(choice.precision, device))


def choose_device(name: str) -> torch.device:
    """
    Return the device that goes by `name`; 'auto' is the GPU where there is one.

    :raises ConfigError: no such device, or not on this machine.
    """
    if name == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    if name == 'cpu':
        return torch.device('cpu')
    kind, _, index = name.partition(':')
    if kind != 'cuda' or (index and not index.isdigit()):
        raise ConfigError(f'device {name!r} is not known; one of auto, cpu, cuda, cuda:N')
    if int(index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f'device {name!r} asked for, but torch {torch.__version__} sees '
            f'{torch.cuda.device_count()} GPUs here: install a CUDA build of torch, or use cpu'
        )
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> str:
    """
    Return the precision that goes by `name`; 'auto' is fp32 on the CPU, bf16 or fp16 on a GPU.

    :raises ConfigError: no such precision.
    """
    if name == 'auto':
        if device.type == 'cpu':
            return 'fp32'
        return 'bf16' if torch.cuda.is_bf16_supported() else 'fp16'
    if name not in PRECISIONS:
        known = ', '.join(('auto', *PRECISIONS))
        raise ConfigError(f'precision {name!r} is not known; one of {known}')
    return name


def _in_precision(model: FlashDepth, dtype: torch.dtype) -> FlashDepth:
    """Store once, in `dtype`, the weights that autocast would otherwise convert at every frame."""
    if dtype == torch.float32:
        return model
    head = set() if model.decoder.head is None else set(model.decoder.head.modules())
    for module in model.modules():
        if isinstance(module, _MULTIPLYING) and module not in head:
            module.to(dtype)
    return model
