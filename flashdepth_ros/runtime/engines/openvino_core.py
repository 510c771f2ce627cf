"""OpenVINO in this process: its core, its devices and its properties."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
import sys
from typing import Any

from flashdepth_ros.runtime.engines.processor import has_bf16, usable_cores


def import_openvino() -> Any:
    """
    Return the package openvino, imported without its telemetry.

    That sends messages to its maker at every import, writes to the home folder, and reports on
    the console what fails of it. OpenVINO and nncf do without it if it is not there.

    :raises ImportError: the package is missing.
    """
    sys.modules.setdefault('openvino_telemetry', None)  # type: ignore[arg-type]
    return import_module('openvino')


def openvino_config(device: str, precision: str) -> dict[str, Any]:
    """Return the properties for compiling a network and for loading a compiled one."""
    config: dict[str, Any] = {'PERFORMANCE_HINT': 'LATENCY'}
    hint = cpu_precision() if precision == 'int8' else precision
    config['INFERENCE_PRECISION_HINT'] = {'fp32': 'f32', 'bf16': 'bf16'}[hint]
    if device == 'CPU':
        config['INFERENCE_NUM_THREADS'] = usable_cores()
    return config


def cpu_precision() -> str:
    """Return the fastest precision of this CPU with nearly the accuracy of float32."""
    return 'bf16' if has_bf16() else 'fp32'


def intel_gpus() -> list[str]:
    """Return OpenVINO's names of the Intel GPUs that it can use."""
    if find_spec('openvino') is None:
        return []
    return [name for name in core().available_devices if name.startswith('GPU')]


@cache
def core() -> Any:
    """
    Return the only OpenVINO core of this process; it is never deleted.

    Each core installs a signal stack and restores the previous one when it is deleted. If two
    cores are not deleted in reverse order, the restored stack is freed memory, and the next signal
    crashes the process.
    """
    return import_openvino().Core()
