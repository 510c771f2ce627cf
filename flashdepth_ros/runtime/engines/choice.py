"""Choose engine, device and precision: resolve every 'auto' and give the reason."""

from dataclasses import dataclass
from importlib.util import find_spec

import torch

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network import Network
from flashdepth_ros.runtime.engines.engine import Engine
from flashdepth_ros.runtime.engines.graph_engine import GraphEngine
from flashdepth_ros.runtime.engines.openvino_core import cpu_precision, intel_gpus
from flashdepth_ros.runtime.engines.openvino_engine import OpenVinoEngine
from flashdepth_ros.runtime.engines.requested import EngineChoice
from flashdepth_ros.runtime.engines.torch_engine import CompiledTorchEngine, TorchEngine

_BF16_CAPABILITY = (8, 0)
"""Ampere, the first GPUs that multiply bf16."""


@dataclass(frozen=True)
class ResolvedChoice:
    """An engine choice without 'auto', valid on this computer."""

    device: torch.device
    precision: str
    engine: str
    reason: str
    """Why this engine was chosen; '' if it was requested by name."""
    intel_gpu: bool = False


def create_engine(model: Network, choice: EngineChoice) -> Engine:
    """
    Resolve a choice and create its engine.

    :raises ConfigError: a name is unknown, the names cannot be combined, or the device is not
        available on this computer.
    """
    resolved = resolve(choice)
    engine: Engine
    if resolved.engine == 'openvino':
        engine = OpenVinoEngine(model, resolved.precision, 'GPU' if resolved.intel_gpu else 'CPU')
    elif resolved.engine == 'torch_compile':
        engine = CompiledTorchEngine(model, resolved.device, resolved.precision)
    elif resolved.device.type == 'cuda':
        engine = GraphEngine(model, resolved.device, resolved.precision, options=choice.options)
    else:
        engine = TorchEngine(model, resolved.device, resolved.precision)
    engine.reason = resolved.reason
    return engine


def resolve(choice: EngineChoice) -> ResolvedChoice:
    """
    Replace every 'auto' of a choice by the best option on this computer.

    :raises ConfigError: as for `create_engine`.
    """
    choice.check_names()
    intel_gpu = choice.device == 'intel_gpu'
    device = choose_device(choice.device)
    engine, reason = _choose_engine(choice, device)
    _check_combination(engine, device, choice.precision)
    precision = choose_precision(choice.precision, device)
    return ResolvedChoice(device, precision, engine, reason, intel_gpu)


def choose_device(name: str) -> torch.device:
    """
    Return the torch device of frames and state; 'auto' is the CUDA GPU if there is one.

    A GPU has its index, because each thread has a current device of its own.

    :raises ConfigError: the device is unknown or not available on this computer.
    """
    if name == 'auto':
        return choose_device('cuda' if torch.cuda.is_available() else 'cpu')
    if name == 'cpu':
        return torch.device('cpu')
    if name == 'intel_gpu':
        if not intel_gpus():
            raise ConfigError(
                "device 'intel_gpu' was requested, but OpenVINO finds no Intel GPU: install "
                "openvino and Intel's compute runtime, or use cpu"
            )
        return torch.device('cpu')
    kind, _, index = name.partition(':')
    if kind != 'cuda' or (index and not index.isdigit()):
        known = 'auto, cpu, cuda, cuda:N, intel_gpu'
        raise ConfigError(f'unknown device {name!r}; expected one of {known}')
    if int(index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f'device {name!r} was requested, but torch {torch.__version__} finds '
            f'{torch.cuda.device_count()} GPUs: install a CUDA build of torch, or use cpu'
        )
    return torch.device('cuda', int(index) if index else torch.cuda.current_device())


def choose_precision(name: str, device: torch.device) -> str:
    """Return the precision; 'auto' is the fastest one with nearly the accuracy of float32."""
    if name != 'auto':
        return name
    if device.type == 'cpu':
        return cpu_precision()
    # Not `is_bf16_supported`: it counts emulation, and asks the current device.
    return 'bf16' if torch.cuda.get_device_capability(device) >= _BF16_CAPABILITY else 'fp16'


def _choose_engine(choice: EngineChoice, device: torch.device) -> tuple[str, str]:
    """Return the name of the engine and the reason for it."""
    installed = find_spec('openvino') is not None
    if choice.engine == 'openvino' and not installed:
        raise ConfigError("engine 'openvino' needs the package openvino: pip install openvino")
    if choice.engine == 'onnxruntime':
        raise ConfigError(
            "engine 'onnxruntime' runs exported models: write one with `flashdepth export` and "
            'give it as weights: FILE.onnx'
        )
    if choice.engine != 'auto':
        return choice.engine, ''
    if device.type != 'cpu':
        return 'torch', f'the device is {device.type}'
    if choice.precision == 'fp16':
        return 'torch', 'openvino has no fp16 on a CPU'
    if not installed:
        return 'torch', 'openvino is not installed; it is faster on a CPU'
    return 'openvino', 'the fastest engine on a CPU'


def _check_combination(engine: str, device: torch.device, precision: str) -> None:
    if engine == 'openvino' and device.type != 'cpu':
        raise ConfigError("engine 'openvino' runs on cpu and intel_gpu; on cuda use torch")
    if engine != 'openvino' and precision == 'int8':
        raise ConfigError("precision 'int8' requires engine openvino on a CPU")
    if precision == 'int8' and find_spec('nncf') is None:
        raise ConfigError("precision 'int8' needs the package nncf: pip install nncf")
    if engine == 'openvino' and precision == 'fp16':
        raise ConfigError("engine 'openvino' supports fp32, bf16 and int8, not 'fp16'")
