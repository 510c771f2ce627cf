"""Choose the execution providers of ONNX Runtime and their options; imports nothing of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flashdepth_ros.errors import ConfigError

TENSORRT = 'TensorrtExecutionProvider'
CUDA = 'CUDAExecutionProvider'
OPENVINO = 'OpenVINOExecutionProvider'
CPU = 'CPUExecutionProvider'
ON_GPU = (TENSORRT, CUDA)
"""The providers that keep the state in the memory of an Nvidia GPU."""

Providers = list[tuple[str, dict[str, str]]]
"""Names and options, the preferred first; a provider passes on what it cannot run."""


def choose_providers(
    available: Sequence[str], device: str, precision: str, cache: Path | None
) -> Providers:
    """
    Return the providers for a device, in the order TensorRT, CUDA, OpenVINO, CPU.

    :param available: what the installed build of ONNX Runtime has.
    :param device: 'auto', 'cpu', 'cuda', 'cuda:N' or 'intel_gpu'.
    :param cache: the folder for the engines that TensorRT builds; None: they are not kept.
    :raises ConfigError: the device is unknown, or the build has no provider for it.
    """
    wanted = [name for name in _wanted(device) if name in available]
    if not wanted:
        found = ', '.join(available) or 'none'
        raise ConfigError(
            f'device {device!r} was requested, but this build of onnxruntime has no provider for '
            f'it, only {found}: {_remedy(device)}, or use device auto'
        )
    options = {name: _options(name, device, precision, cache) for name in wanted}
    if CPU in available:
        options.setdefault(CPU, {})
    return list(options.items())


def _wanted(device: str) -> tuple[str, ...]:
    known = {
        'auto': (*ON_GPU, OPENVINO, CPU),
        'cpu': (OPENVINO, CPU),
        'cuda': ON_GPU,
        'intel_gpu': (OPENVINO,),
    }
    kind, _, index = device.partition(':')
    if kind not in known or (index and not (kind == 'cuda' and index.isdigit())):
        expected = 'auto, cpu, cuda, cuda:N, intel_gpu'
        raise ConfigError(f'unknown device {device!r}; expected one of {expected}')
    return known[kind]


def _options(name: str, device: str, precision: str, cache: Path | None) -> dict[str, str]:
    if name == OPENVINO:
        return {'device_type': 'GPU' if device == 'intel_gpu' else 'CPU'}
    if name == CPU:
        return {}
    options = {'device_id': device.partition(':')[2] or '0'}
    if name == TENSORRT:
        options['trt_fp16_enable'] = str(precision == 'fp16')
        if cache is not None:
            options |= {
                'trt_engine_cache_enable': 'True',
                'trt_engine_cache_path': str(cache),
                'trt_timing_cache_enable': 'True',
                'trt_timing_cache_path': str(cache),
            }
    return options


def _remedy(device: str) -> str:
    return {
        'intel_gpu': 'install onnxruntime-openvino, or use engine openvino',
        'cpu': 'install onnxruntime',
    }.get(device, 'install onnxruntime-gpu, on a Jetson the build for its JetPack')
