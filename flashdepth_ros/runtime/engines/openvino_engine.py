"""Run the network with OpenVINO, compiled once for each shape of frames."""

from collections import OrderedDict
from functools import cache
from importlib.util import find_spec
import logging
from typing import Any
import weakref

import torch
from torch import Tensor

from flashdepth_ros.errors import FlashDepthError
from flashdepth_ros.network import FlashDepth, StreamState
from flashdepth_ros.runtime.engines.engine import Result
from flashdepth_ros.runtime.engines.model_store import Compilation, CompilationTarget, ModelStore
from flashdepth_ros.runtime.engines.processor import has_bf16, usable_cores
from flashdepth_ros.runtime.engines.torch_engine import TorchEngine

MAX_LOADED = 4
"""Maximum number of networks in memory, one per shape; the least recently used is dropped."""

CALIBRATION_FRAMES = 8
"""Number of frames for int8 calibration."""

_LOG = logging.getLogger(__name__)
_Shape = tuple[int, ...]


class OpenVinoEngine:
    """
    Runs the compiled networks of one model.

    The engine waits for the compilation of the first shape. Later shapes are compiled in the
    background; meanwhile, or if the compilation fails, PyTorch runs their frames. In int8 the
    engine waits for no shape: PyTorch runs the first frames, which calibrate the value ranges.

    :param model: is not modified; its weights must not change.
    :param device: OpenVINO's name of the device, 'CPU' or 'GPU'.
    """

    name = 'openvino'
    reason = ''

    def __init__(self, model: FlashDepth, precision: str, device: str = 'CPU') -> None:
        import openvino

        self.device = torch.device('cpu')
        self.precision = precision
        self._openvino_device = device
        self._core = core()
        self._store = ModelStore(model, f'openvino {openvino.__version__}')
        self._model = model
        self._fallback = TorchEngine(model, self.device, cpu_precision(), keep_weights=True)
        self._loaded: OrderedDict[_Shape, _Request] = OrderedDict()
        self._failed: set[_Shape] = set()
        self._unreadable: set[_Shape] = set()
        """Shapes whose file could not be loaded once; after the second time they have failed."""
        self._calibration: dict[_Shape, list[Tensor]] = {}
        """Calibration frames collected so far."""
        self._compilations: dict[_Shape, Compilation] = {}
        """At most one, because two would take CPU time from inference."""
        weakref.finalize(self, _kill_all, self._compilations)

    @property
    def loaded_shapes(self) -> tuple[_Shape, ...]:
        """Shapes of the networks in memory; the most recently used is last."""
        return tuple(self._loaded)

    def run(self, frames: Tensor, state: StreamState | None) -> Result:
        """Run `FlashDepth.forward`."""
        state = self._model.check_inputs(frames, state)
        shape = tuple(frames.shape)
        if not self._loaded and self.precision != 'int8':
            self._wait_for(shape)
        if self._make_ready(shape):
            self._loaded.move_to_end(shape)
            return self._loaded[shape](frames, state)
        self._add_calibration_frames(shape, [frames])
        return self._fallback.run(frames, state)

    def prepare(self, frames: Tensor) -> None:
        """Load the network of this size; compile it first if necessary."""
        shape = (1, *frames.shape[1:])
        while not self._is_calibrated(shape):
            self._add_calibration_frames(shape, list(frames.split(1)))
        self._wait_for(shape)

    def device_memory_bytes(self) -> int:
        """Return 0: a CPU and an integrated GPU use the memory of the process."""
        return 0

    def _make_ready(self, shape: _Shape) -> bool:
        """Return whether the network of a shape is loaded; if not, load or start to compile it."""
        if shape in self._loaded:
            return True
        self._finish_compilations()
        if shape in self._failed:
            return False
        if self._store.path(self._compilation_target(shape)).exists():
            return self._load(shape)
        if not self._compilations and self._is_calibrated(shape):
            self._start(shape)
        return False

    def _is_calibrated(self, shape: _Shape) -> bool:
        return (
            self.precision != 'int8' or len(self._calibration.get(shape, ())) >= CALIBRATION_FRAMES
        )

    def _add_calibration_frames(self, shape: _Shape, frames: list[Tensor]) -> None:
        """Store frames for int8 calibration while more are needed."""
        if self.precision == 'int8' and shape not in self._compilations:
            stored = self._calibration.setdefault(shape, [])
            stored.extend(frame.clone() for frame in frames[: CALIBRATION_FRAMES - len(stored)])

    def _wait_for(self, shape: _Shape) -> None:
        """Wait until a shape is loaded or has failed."""
        while not self._make_ready(shape) and shape not in self._failed:
            for compilation in self._compilations.values():
                compilation.process.wait()

    def _start(self, shape: _Shape) -> None:
        try:
            frames = self._calibration.pop(shape, [])
            target = self._compilation_target(shape)
            self._compilations[shape] = self._store.start(target, frames)
        except OSError as error:
            self._mark_failed(shape, error)

    def _finish_compilations(self) -> None:
        """Remove the compilations that have ended; mark the shapes that failed."""
        for shape, compilation in list(self._compilations.items()):
            if compilation.done:
                del self._compilations[shape]
                try:
                    compilation.finish()
                except FlashDepthError as error:
                    self._mark_failed(shape, error)

    def _load(self, shape: _Shape) -> bool:
        path = self._store.path(self._compilation_target(shape))
        config = openvino_config(self._openvino_device, self.precision)
        try:
            compiled = self._core.import_model(path.read_bytes(), self._openvino_device, config)
        except (OSError, RuntimeError) as error:  # truncated, or deleted by another process
            if shape in self._unreadable:
                self._mark_failed(shape, error)
                return False
            self._unreadable.add(shape)
            _LOG.warning('cannot load %s; compiling it again', path.name)
            path.unlink(missing_ok=True)
            return False
        self._store.mark_used(path)
        self._calibration.pop(shape, None)
        self._loaded[shape] = _Request(compiled)
        while len(self._loaded) > MAX_LOADED:
            self._loaded.popitem(last=False)
        return True

    def _mark_failed(self, shape: _Shape, error: Exception) -> None:
        self._failed.add(shape)
        _LOG.warning('using torch for inference at %dx%d: %s', shape[-1], shape[-2], error)

    def _compilation_target(self, shape: _Shape) -> CompilationTarget:
        return CompilationTarget(shape, self.precision, self._openvino_device)


class _Request:
    """A compiled network that runs on memory of torch tensors, without copies."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        self._shapes = [tuple(output.shape) for output in compiled.outputs]

    def __call__(self, frames: Tensor, state: StreamState | None) -> Result:
        # Keep references: OpenVINO holds none to the copies that `contiguous` may make.
        inputs = [frames.contiguous()]
        if state is not None:
            inputs.append(state.ssm.contiguous())
        outputs = [torch.empty(shape) for shape in self._shapes]
        for index, tensor in enumerate(inputs):
            self._request.set_input_tensor(index, _shared(tensor))
        for index, tensor in enumerate(outputs):
            self._request.set_output_tensor(index, _shared(tensor))
        self._request.infer()
        return outputs[0], None if state is None else StreamState(outputs[1])


def _shared(tensor: Tensor) -> Any:
    import openvino

    return openvino.Tensor(tensor.detach().numpy(), shared_memory=True)


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
    import openvino

    return openvino.Core()


def _kill_all(compilations: dict[_Shape, Compilation]) -> None:
    for compilation in compilations.values():
        compilation.kill()
