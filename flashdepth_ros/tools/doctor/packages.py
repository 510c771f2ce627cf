"""Checks of what estimates depth: PyTorch, OpenVINO, ONNX Runtime, the default weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec

from flashdepth_ros.entry_point import describe
from flashdepth_ros.errors import CheckpointError, ConfigError
from flashdepth_ros.tools.doctor.finding import FAIL, WARN, Finding


def torch(_: Mapping[str, str]) -> Iterator[Finding]:
    """Check that PyTorch sees the GPUs, and that its build has code for them."""
    try:
        from torch import __version__, cuda, get_num_threads, version
    except ImportError as error:
        yield _without_torch(describe(error))
        return
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


def _without_torch(fix: str) -> Finding:
    """Return what is possible without PyTorch; `fix` says how to install it."""
    runners = [name for name in ('onnxruntime', 'openvino') if find_spec(name) is not None]
    if not runners:
        return Finding('torch', 'not installed', FAIL, fix)
    run = f'{runners[0]} runs' if len(runners) == 1 else f'{" and ".join(runners)} run'
    value = f'not installed; {run} exported models (.onnx) without it'
    return Finding('torch', value, WARN, fix)


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
        yield Finding('openvino', 'not installed: other engines run on the CPU', WARN, fix)
        return
    from flashdepth_ros.runtime.engines.openvino_core import import_openvino

    package = import_openvino()
    devices = ', '.join(package.Core().available_devices)
    yield Finding('openvino', f'{package.__version__}, devices: {devices}')


def onnxruntime(_: Mapping[str, str]) -> Iterator[Finding]:
    """Tell the version and the providers of ONNX Runtime, which runs exported models."""
    from flashdepth_ros.runtime.engines.onnx_session import import_onnxruntime

    try:
        package = import_onnxruntime()
    except ConfigError as error:
        yield Finding('onnxruntime', 'only for exported models: not usable', WARN, str(error))
        return
    providers = ', '.join(package.get_available_providers())
    yield Finding('onnxruntime', f'{package.__version__}, providers: {providers}')


def weights(_: Mapping[str, str]) -> Iterator[Finding]:
    """Check that the default weights are there and load."""
    try:
        import_module('torch')
    except ImportError:
        fix = (
            'weights need PyTorch; an exported model does not, and is checked by `flashdepth '
            'models check FILE.onnx`'
        )
        yield Finding('weights', 'not checked: PyTorch is not installed', WARN, fix)
        return
    from flashdepth_ros.network.presets import preset
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
