"""Checks of what estimates depth: PyTorch with its GPUs, OpenVINO, the default weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.tools.doctor.finding import FAIL, WARN, Finding


def torch(_: Mapping[str, str]) -> Iterator[Finding]:
    """Check that PyTorch sees the GPUs, and that its build has code for them."""
    from torch import __version__, cuda, get_num_threads, version

    gpus = [cuda.get_device_name(index) for index in range(cuda.device_count())]
    built = f'CUDA {version.cuda}' if version.cuda else 'CPU only'
    value = f'{__version__} ({built}), {get_num_threads()} threads, GPUs: '
    value += ', '.join(gpus) or 'none'
    if version.cuda and not gpus:
        fix = 'torch supports CUDA but finds no GPU: check the driver (nvidia-smi)'
        yield Finding('torch', value, WARN, fix)
        return
    yield Finding('torch', value)
    for index, gpu in enumerate(gpus):
        problem = missing_architecture(cuda.get_device_capability(index), cuda.get_arch_list())
        if problem:
            fix = f'{problem}: install a build for it, on a Jetson the one of Nvidia'
            yield Finding('gpu', gpu, FAIL, fix)


def missing_architecture(capability: tuple[int, int], built: list[str]) -> str:
    """
    Return why a build of PyTorch has no code for a GPU; '' if it has.

    :param capability: of the GPU, such as (8, 7).
    :param built: the architectures of the build, such as sm_80 and compute_90. Binary code (sm)
        also runs on later GPUs with the same first digit, portable code (compute) on all later.
    """
    major, minor = capability
    for name in built:
        kind, _, digits = name.rstrip('af').partition('_')
        built_major, built_minor = int(digits[:-1]), int(digits[-1])
        same = built_major == major and built_minor <= minor
        if same or (kind == 'compute' and (built_major, built_minor) <= capability):
            return ''
    return f'this build has no code for sm_{major}{minor}, only {", ".join(built) or "none"}'


def openvino(_: Mapping[str, str]) -> Iterator[Finding]:
    """Tell the version and the devices of OpenVINO, the faster engine on CPUs."""
    if find_spec('openvino') is None:
        fix = "only for CPUs and Intel GPUs: pip install 'openvino>=2025'"
        yield Finding('openvino', 'not installed: the CPU engine is PyTorch', WARN, fix)
        return
    import openvino as package

    devices = ', '.join(package.Core().available_devices)
    yield Finding('openvino', f'{package.__version__}, devices: {devices}')


def weights(_: Mapping[str, str]) -> Iterator[Finding]:
    """Check that the default weights are there and load."""
    from flashdepth_ros.network.config import preset
    from flashdepth_ros.runtime.fetch import verify
    from flashdepth_ros.runtime.settings import Settings
    from flashdepth_ros.runtime.weights import find_weights

    config = preset(Settings().model)
    try:
        path = find_weights(config)
        verify(path, config)
    except CheckpointError as error:
        yield Finding('weights', f'{config.name}: cannot be used', FAIL, str(error))
    else:
        yield Finding('weights', f'{path} loads')
