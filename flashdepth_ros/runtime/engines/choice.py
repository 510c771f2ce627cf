"""Which engine, on which device, in which precision: every 'auto' resolved, with the reason."""

from dataclasses import dataclass
from importlib.util import find_spec

import torch

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network import FlashDepth
from flashdepth_ros.runtime.engines.engine import Engine
from flashdepth_ros.runtime.engines.graph_engine import GraphEngine
from flashdepth_ros.runtime.engines.openvino_engine import (
    OpenVinoEngine,
    cpu_precision,
    intel_gpus,
)
from flashdepth_ros.runtime.engines.torch_engine import DTYPES, CompiledTorchEngine, TorchEngine

ENGINES = ('auto', 'torch', 'torch_compile', 'openvino')
PRECISIONS = (*DTYPES, 'int8')


@dataclass(frozen=True)
class EngineChoice:
    """What was asked for: each 'auto' or a name."""

    device: str = 'auto'
    precision: str = 'auto'
    engine: str = 'auto'


@dataclass(frozen=True)
class Resolved:
    """What a choice comes to on this machine."""

    device: torch.device
    precision: str
    engine: str
    why: str
    """Why this engine, in a few words; '' where it was asked for by name."""
    intel_gpu: bool = False


def create_engine(model: FlashDepth, choice: EngineChoice) -> Engine:
    """
    Return the engine for a choice, resolving every 'auto'.

    :raises ConfigError: a name that is not known, names that do not go together, or a device
        that this machine does not have.
    """
    resolved = resolve(choice)
    engine: Engine
    if resolved.engine == 'openvino':
        engine = OpenVinoEngine(model, resolved.precision, 'GPU' if resolved.intel_gpu else 'CPU')
    elif resolved.engine == 'torch_compile':
        engine = CompiledTorchEngine(model, resolved.device, resolved.precision)
    elif resolved.device.type == 'cuda':
        engine = GraphEngine(model, resolved.device, resolved.precision)
    else:
        engine = TorchEngine(model, resolved.device, resolved.precision)
    engine.why = resolved.why
    return engine


def resolve(choice: EngineChoice) -> Resolved:
    """
    Return what a choice comes to here.

    :raises ConfigError: as `create_engine`.
    """
    _check('engine', choice.engine, ENGINES)
    _check('precision', choice.precision, ('auto', *PRECISIONS))
    intel_gpu = choice.device == 'intel_gpu'
    device = choose_device(choice.device)
    engine, why = _engine(choice, device)
    _check_pair(engine, device, choice.precision)
    precision = choose_precision(choice.precision, device)
    return Resolved(device, precision, engine, why, intel_gpu)


def choose_device(name: str) -> torch.device:
    """
    Return where frames and state lie for the device `name`; 'auto' is the GPU where there is one.

    :raises ConfigError: no such device, or not on this machine.
    """
    if name == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    if name == 'cpu':
        return torch.device('cpu')
    if name == 'intel_gpu':
        if not intel_gpus():
            raise ConfigError(
                "device 'intel_gpu' asked for, but OpenVINO sees none here: install openvino and "
                "Intel's compute runtime, or use cpu"
            )
        return torch.device('cpu')
    kind, _, index = name.partition(':')
    if kind != 'cuda' or (index and not index.isdigit()):
        known = 'auto, cpu, cuda, cuda:N, intel_gpu'
        raise ConfigError(f'device {name!r} is not known; one of {known}')
    if int(index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f'device {name!r} asked for, but torch {torch.__version__} sees '
            f'{torch.cuda.device_count()} GPUs here: install a CUDA build of torch, or use cpu'
        )
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> str:
    """Return the precision that goes by `name`; 'auto' is the fastest that is all but exact."""
    if name != 'auto':
        return name
    if device.type == 'cpu':
        return cpu_precision()
    return 'bf16' if torch.cuda.is_bf16_supported() else 'fp16'


def _engine(choice: EngineChoice, device: torch.device) -> tuple[str, str]:
    """Return the engine's name and why it was taken."""
    installed = find_spec('openvino') is not None
    if choice.engine == 'openvino' and not installed:
        raise ConfigError("engine 'openvino' needs a package: pip install openvino")
    if choice.engine != 'auto':
        return choice.engine, ''
    if device.type != 'cpu':
        return 'torch', f'it runs on {device.type}'
    if choice.precision == 'fp16':
        return 'torch', 'openvino has no fp16 on a CPU'
    if not installed:
        return 'torch', 'openvino, faster on a CPU, is not installed'
    return 'openvino', 'the fastest on a CPU'


def _check(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise ConfigError(f'{what} {name!r} is not known; one of {", ".join(known)}')


def _check_pair(engine: str, device: torch.device, precision: str) -> None:
    if engine == 'openvino' and device.type != 'cpu':
        raise ConfigError("engine 'openvino' runs on cpu and intel_gpu; on cuda use torch")
    if engine != 'openvino' and precision == 'int8':
        raise ConfigError("precision 'int8' is there with engine openvino alone, and on a CPU")
    if precision == 'int8' and find_spec('nncf') is None:
        raise ConfigError("precision 'int8' needs a package: pip install nncf")
    if engine == 'openvino' and precision == 'fp16':
        raise ConfigError("engine 'openvino' runs in fp32, bf16 or int8 here, not in 'fp16'")
