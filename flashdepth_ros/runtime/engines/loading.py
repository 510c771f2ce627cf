"""Load a model and the engine that runs it: from weights with PyTorch, or exported without."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from flashdepth_ros.errors import CheckpointError, ConfigError
from flashdepth_ros.network.config import ModelConfig
from flashdepth_ros.network.presets import preset
from flashdepth_ros.runtime.engines.engine import Engine
from flashdepth_ros.runtime.engines.exported_engine import ExportedEngine, Session
from flashdepth_ros.runtime.engines.exported_model import (
    SUFFIX,
    ExportedModel,
    check_preset,
    is_exported,
    read_exported,
)
from flashdepth_ros.runtime.engines.onnx_providers import CUDA
from flashdepth_ros.runtime.engines.openvino_core import cpu_precision, intel_gpus
from flashdepth_ros.runtime.engines.requested import EngineChoice
from flashdepth_ros.runtime.weights import WEIGHT_SUFFIXES, find_weights

if TYPE_CHECKING:
    from torch import Tensor

_RUNNERS = ('openvino', 'onnxruntime')
"""The engines that run exported models."""
_OPENVINO_PRECISIONS = ('fp32', 'bf16')
_OPENVINO_DEVICES = ('auto', 'cpu', 'intel_gpu')


def load_engine(
    model: str, weights: str | Path | Mapping[str, Tensor], choice: EngineChoice
) -> tuple[ModelConfig, Engine]:
    """
    Return the configuration of a model and the engine that runs it on this computer.

    :param weights: a `.pth`, `.safetensors` or exported `.onnx` file, or a state dict; '': the
        preset's weights.
    :raises ConfigError: a name is unknown, the names cannot be combined, or a device or package
        is not available on this computer.
    :raises CheckpointError: the weights cannot be found or read, or do not fit the model.
    """
    choice.check_names()
    config = preset(model)
    if isinstance(weights, (str, Path)) and is_exported(weights):
        exported = read_exported(weights)
        check_preset(exported, model)
        return exported.config, load_exported(exported, choice)
    if isinstance(weights, (str, Path)) and weights:
        check_suffix(Path(weights))
    try:
        import_module('torch')
    except ImportError as error:
        raise ConfigError(
            f'{model} needs PyTorch, which cannot be imported ({error}): pip install torch; or, '
            'without it, export the model on another computer (flashdepth export) and give the '
            'file as weights: FILE.onnx'
        ) from error
    from flashdepth_ros.network import create_model, load_weights
    from flashdepth_ros.runtime.engines.choice import create_engine

    network = create_model(model)
    load_weights(network, weights or find_weights(config))
    return config, create_engine(network, choice)


def check_suffix(path: Path) -> None:
    """
    Check the name of a weights file, before PyTorch is loaded for it.

    :raises CheckpointError: it is a folder, or no file with this suffix can be loaded.
    """
    if path.is_dir():
        problem = 'is a folder'
    elif path.suffix not in WEIGHT_SUFFIXES and not is_exported(path):
        problem = f'suffix {path.suffix!r} is not supported' if path.suffix else 'has no suffix'
    else:
        return
    raise CheckpointError(
        f'{path}: {problem}; give a {SUFFIX} file of `flashdepth export`, or weights as .pth or '
        '.safetensors'
    )


def load_exported(exported: ExportedModel, choice: EngineChoice) -> ExportedEngine:
    """
    Return the engine for an exported model.

    :raises ConfigError: as for `load_engine`.
    :raises CheckpointError: the file is damaged, or was changed after the export.
    """
    name = choice.engine if choice.engine != 'auto' else _fastest(exported, choice.device)
    if name not in _RUNNERS:
        raise ConfigError(
            f'engine {name!r} does not run exported models such as {exported.path}: use engine '
            f'{" or ".join(_RUNNERS)}, or weights as .pth or .safetensors'
        )
    if exported.batch != 1:
        raise ConfigError(
            f'{exported.path} is for {exported.batch} streams at a time; export it for one, with '
            '--batch 1'
        )
    precision = _precision(exported, choice, name)
    session: Session
    if name == 'openvino':
        from flashdepth_ros.runtime.engines.openvino_session import OpenVinoSession

        session = OpenVinoSession(exported, _openvino_device(choice.device), precision)
    else:
        from flashdepth_ros.runtime.engines.onnx_session import OnnxSession

        session = OnnxSession(exported, choice.device, precision)
    return ExportedEngine(exported, session, precision)


def _fastest(exported: ExportedModel, device: str) -> str:
    """Return the fastest engine for exported models on this computer."""
    present = [name for name in _RUNNERS if find_spec(name) is not None]
    if not present:
        raise ConfigError(
            f'{exported.path} needs the package onnxruntime or openvino: pip install onnxruntime'
        )
    if len(present) == 1:
        return present[0]
    on_gpu = has_cuda() if device == 'auto' else device not in _OPENVINO_DEVICES
    return 'onnxruntime' if on_gpu else 'openvino'


def has_cuda() -> bool:
    """Return whether the installed ONNX Runtime can be used and is built for CUDA."""
    from flashdepth_ros.runtime.engines.onnx_session import import_onnxruntime

    try:
        return CUDA in import_onnxruntime().get_available_providers()
    except ConfigError:
        return False


def _precision(exported: ExportedModel, choice: EngineChoice, engine: str) -> str:
    """Return the precision of the computation; 'auto' is the fastest that the file allows."""
    requested = choice.precision
    if engine == 'openvino':
        requested = cpu_precision() if requested == 'auto' else requested
        if requested in _OPENVINO_PRECISIONS:
            return requested
        raise ConfigError(
            f"engine 'openvino' runs exported models in {' or '.join(_OPENVINO_PRECISIONS)}, not "
            f'in {requested}'
        )
    if requested in ('auto', exported.precision):
        return exported.precision
    raise ConfigError(
        f"engine 'onnxruntime' runs {exported.path} in {exported.precision}, as it was exported, "
        f'not in {requested}: leave precision at auto, or export the model in fp32 or fp16'
    )


def _openvino_device(device: str) -> str:
    if device not in _OPENVINO_DEVICES:
        raise ConfigError("engine 'openvino' runs on cpu and intel_gpu; on cuda use onnxruntime")
    if device == 'intel_gpu' and not intel_gpus():
        raise ConfigError(
            "device 'intel_gpu' was requested, but OpenVINO finds no Intel GPU: install Intel's "
            'compute runtime, or use cpu'
        )
    return 'GPU' if device == 'intel_gpu' else 'CPU'
