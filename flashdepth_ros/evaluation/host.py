"""Names of the software versions and of the hardware that an evaluation ran on."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
import os
from pathlib import Path
import platform

import torch

from flashdepth_ros import __version__
from flashdepth_ros.runtime.distributed import World

_LIBRARIES = ('torch', 'numpy', 'opencv-python-headless', 'rosbags', 'openvino', 'onnxruntime')


def versions() -> dict[str, str]:
    """Return the versions of this package, Python and the libraries that affect the figures."""
    found = {'flashdepth_ros': __version__, 'python': platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def host(world: World) -> dict[str, str]:
    """Return a description of this computer and of the processes."""
    gpu = torch.cuda.get_device_name(world.device) if world.device.type == 'cuda' else 'none'
    return {
        'system': platform.platform(),
        'processor': processor_name(),
        'cores': str(os.cpu_count()),
        'threads': str(torch.get_num_threads()),
        'gpu': gpu,
        'processes': str(world.size),
    }


def device_name(setting: str, device: str) -> str:
    """
    Return the product name of the GPU or CPU that runs a network; for a CPU also its threads.

    :param setting: the `device` setting.
    :param device: the device of the network, such as 'cpu' or 'cuda:0'.
    """
    if setting == 'intel_gpu':
        return 'Intel GPU'
    if device.startswith('cuda'):
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f'{processor_name()}, {threads} thread{"s" if threads > 1 else ""}'


def processor_name() -> str:
    """Return the product name of the CPU."""
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:
        lines = []
    names = (line.partition(':')[2].strip() for line in lines if line.startswith('model name'))
    return next(names, platform.processor() or platform.machine())
