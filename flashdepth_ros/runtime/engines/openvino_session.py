"""Run an exported model with OpenVINO."""

from __future__ import annotations

from collections.abc import Sequence
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
from flashdepth_ros.runtime.engines.model_store import CompilationTarget, ModelStore
from flashdepth_ros.runtime.engines.openvino_core import core, import_openvino, openvino_config
from flashdepth_ros.runtime.weights import file_sha256


class OpenVinoSession:
    """
    A compiled network that runs on memory of numpy arrays.

    :param device: OpenVINO's name, 'CPU' or 'GPU'.
    :raises ConfigError: OpenVINO is missing.
    :raises CheckpointError: it cannot load the file.
    """

    name = 'openvino'
    device = 'cpu'
    on_host = True

    def __init__(self, exported: ExportedModel, device: str, precision: str) -> None:
        compiled = _compiled(exported, device, precision)
        self.provider = f'OpenVINO {device}'
        self._request = compiled.create_infer_request()
        self.inputs = {each.any_name: tuple(each.shape) for each in compiled.inputs}
        self.outputs = {each.any_name: tuple(each.shape) for each in compiled.outputs}
        self._types = {
            each.any_name: each.element_type.to_dtype()
            for each in (*compiled.inputs, *compiled.outputs)
        }
        self.state_bytes = sum(part.nbytes for part in self.zeros())

    def zeros(self) -> tuple[Any, ...]:
        """Return the parts of the state of new sequences."""
        return tuple(
            np.zeros(shape, self._types[name])
            for name, shape in self.inputs.items()
            if name.startswith(STATE_IN)
        )

    def run(self, frames: Any, parts: Sequence[Any]) -> tuple[Any, tuple[Any, ...]]:
        """Return inverse depth as an array, and the parts of the next state."""
        names = [name for name in self.inputs if name.startswith(STATE_IN)]
        # Keep references: OpenVINO holds none to the copy that is made here.
        frames = np.ascontiguousarray(frames)
        for name, array in zip((FRAMES, *names), (frames, *parts), strict=True):
            self._request.set_tensor(name, _shared(array))
        results = [INVERSE_DEPTH, *(STATE_OUT + name.removeprefix(STATE_IN) for name in names)]
        arrays = [np.empty(self.outputs[name], self._types[name]) for name in results]
        for name, array in zip(results, arrays, strict=True):
            self._request.set_tensor(name, _shared(array))
        self._request.infer()
        return arrays[0], tuple(arrays[1:])

    def array(self, part: Any) -> Any:
        """Return a part of the state as an array."""
        return part


def _compiled(exported: ExportedModel, device: str, precision: str) -> Any:
    """Return the compiled network, from the cache if it was compiled before."""
    try:
        openvino = import_openvino()
    except ImportError as error:
        raise ConfigError(
            f"engine 'openvino' needs the package openvino: pip install openvino ({error})"
        ) from error
    contents = file_sha256(exported.path)
    store = ModelStore(exported.config.name, contents, f'openvino {openvino.__version__}')
    height, width = exported.size
    target = CompilationTarget((exported.batch, 1, 3, height, width), precision, device)
    config = openvino_config(device, precision)
    if (stored := store.read(target)) is not None:
        try:
            return core().import_model(stored, device, config)
        except (RuntimeError, MemoryError) as error:
            store.discard(target, f'cannot be loaded ({error})')
    try:
        compiled = core().compile_model(str(exported.path), device, config)
    except RuntimeError as error:
        reason = ' '.join(str(error).split())
        raise CheckpointError(
            f'{exported.path}: OpenVINO {openvino.__version__} cannot load it: {reason}'
        ) from error
    store.write(target, compiled.export_model().getvalue())
    return compiled


def _shared(array: Any) -> Any:
    import openvino

    return openvino.Tensor(array, shared_memory=True)
