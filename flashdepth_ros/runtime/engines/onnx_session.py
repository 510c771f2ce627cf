"""Run an exported model with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import logging
from pathlib import Path
from typing import Any

import numpy as np

from flashdepth_ros.errors import CheckpointError, ConfigError
from flashdepth_ros.runtime.engines.exported_model import (
    FRAMES,
    INVERSE_DEPTH,
    STATE_IN,
    STATE_OUT,
    ExportedModel,
)
from flashdepth_ros.runtime.engines.onnx_providers import CUDA, ON_GPU, TENSORRT, choose_providers
from flashdepth_ros.runtime.engines.processor import usable_cores
from flashdepth_ros.runtime.weights import cache_folder

MIN_VERSION = (1, 20)
"""The first version of ONNX Runtime that is supported: 1.18 gives NaN in fp16 on a CPU."""
_TYPES = {'float': np.float32, 'float16': np.float16, 'int64': np.int64}
_ERRORS_ONLY = 3
_LOG = logging.getLogger(__name__)


class OnnxSession:
    """
    A session of ONNX Runtime whose state stays where the provider computes.

    :param device: as for `choose_providers`.
    :raises ConfigError: ONNX Runtime is missing or too old, or does not support the device.
    :raises CheckpointError: it cannot load the file.
    """

    name = 'onnxruntime'

    def __init__(self, exported: ExportedModel, device: str, precision: str) -> None:
        runtime = import_onnxruntime()
        available = runtime.get_available_providers()
        cache = tensorrt_folder() if TENSORRT in available else None
        providers = choose_providers(available, device, precision, cache)
        self._runtime = runtime
        self._session = load(exported, providers)
        self.provider: str = self._session.get_providers()[0]
        if device.startswith('cuda') and self.provider not in ON_GPU:
            raise ConfigError(
                f'device {device!r} was requested, but onnxruntime could load neither {TENSORRT} '
                f'nor {CUDA}: its build must fit the installed CUDA and cuDNN; or use device auto'
            )
        self.on_host = self.provider not in ON_GPU
        self._index = int(dict(providers).get(self.provider, {}).get('device_id', '0'))
        self._memory = 'cpu' if self.on_host else 'cuda'
        self.inputs = {each.name: tuple(each.shape) for each in self._session.get_inputs()}
        self.outputs = {each.name: tuple(each.shape) for each in self._session.get_outputs()}
        self.state_bytes = sum(np.zeros(shape, kind).nbytes for shape, kind in self._state())

    @property
    def device(self) -> str:
        """The device of the network: 'cpu' or 'cuda:N'."""
        return 'cpu' if self.on_host else f'cuda:{self._index}'

    def zeros(self) -> tuple[Any, ...]:
        """Return the parts of the state of new sequences."""
        create = self._runtime.OrtValue.ortvalue_from_numpy
        return tuple(
            create(np.zeros(shape, kind), self._memory, self._index)
            for shape, kind in self._state()
        )

    def _state(self) -> Iterator[tuple[tuple[int, ...], Any]]:
        """Yield shape and type of each part of the state."""
        for each in self._session.get_inputs():
            if each.name.startswith(STATE_IN):
                yield tuple(each.shape), _TYPES[each.type[len('tensor(') : -1]]

    def run(self, frames: Any, parts: Sequence[Any]) -> tuple[Any, tuple[Any, ...]]:
        """Return inverse depth as an array, and the parts of the next state."""
        binding = self._session.io_binding()
        binding.bind_cpu_input(FRAMES, np.ascontiguousarray(frames))
        names = [name for name in self.inputs if name.startswith(STATE_IN)]
        for name, part in zip(names, parts, strict=True):
            binding.bind_ortvalue_input(name, part)
        binding.bind_output(INVERSE_DEPTH, 'cpu')
        for name in names:
            after = STATE_OUT + name.removeprefix(STATE_IN)
            binding.bind_output(after, self._memory, self._index)
        self._session.run_with_iobinding(binding)
        inverse_depth, *following = binding.get_outputs()
        return inverse_depth.numpy(), tuple(following)

    def array(self, part: Any) -> Any:
        """Return a part of the state as an array; it is copied from a GPU."""
        return part.numpy()


def load(exported: ExportedModel, providers: Any) -> Any:
    """
    Return the session of ONNX Runtime for a file.

    :raises CheckpointError: ONNX Runtime cannot load it.
    """
    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    options.log_severity_level = _ERRORS_ONLY
    # Threads that spin delay other processes; see entry_point.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    try:
        return runtime.InferenceSession(str(exported.path), options, providers=providers)
    except Exception as error:  # of any type, from the runtime and its providers
        reason = ' '.join(str(error).split())
        raise CheckpointError(
            f'{exported.path}: onnxruntime {runtime.__version__} cannot load it: {reason}'
        ) from error


def import_onnxruntime() -> Any:
    """
    Return the package of ONNX Runtime.

    :raises ConfigError: it is not installed, or too old.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(
            f"engine 'onnxruntime' needs its package ({error}): pip install onnxruntime"
        ) from error
    numbers = onnxruntime.__version__.split('.')[:2]
    if tuple(int(number) for number in numbers) < MIN_VERSION:
        needed = '.'.join(map(str, MIN_VERSION))
        raise ConfigError(
            f"engine 'onnxruntime' needs version {needed} or newer, {onnxruntime.__version__} is "
            f"installed: pip install 'onnxruntime>={needed}'"
        )
    return onnxruntime


def tensorrt_folder() -> Path | None:
    """Return the folder for TensorRT's engines; None, and one warning, if it cannot be made."""
    folder = cache_folder() / 'tensorrt'
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _LOG.warning(
            '%s cannot be made (%s): TensorRT builds its engine at every start, unless '
            'XDG_CACHE_HOME is set to a writable folder',
            *(folder, error.strerror),
        )
        return None
    return folder
