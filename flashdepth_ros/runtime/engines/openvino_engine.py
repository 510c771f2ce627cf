"""Run the network with OpenVINO, compiled once for each shape of frames."""

from collections import OrderedDict
import logging
from typing import Any
import weakref

import torch
from torch import Tensor

from flashdepth_ros.errors import FlashDepthError
from flashdepth_ros.network import AttentionState, Network, State
from flashdepth_ros.runtime.engines.compilation import FRAMES_KEY, Compilation
from flashdepth_ros.runtime.engines.model_store import CompilationTarget, ModelStore, fingerprint
from flashdepth_ros.runtime.engines.network_step import Result, run_step
from flashdepth_ros.runtime.engines.openvino_core import (
    core,
    cpu_precision,
    import_openvino,
    openvino_config,
)
from flashdepth_ros.runtime.engines.torch_engine import TorchEngine
from flashdepth_ros.runtime.tensor_transfer import create_transfer
from flashdepth_ros.runtime.transfer import Transfer

MAX_LOADED = 4
"""Maximum number of networks in memory, one per shape; the least recently used is dropped."""

CALIBRATION_FRAMES = 8
"""Number of frames for int8 calibration."""

_REPORT_S = 30.0
"""While the first frame waits for its network, this is logged once in such a period."""

_LOG = logging.getLogger(__name__)
_Shape = tuple[int, ...]


class OpenVinoEngine:
    """
    Runs the compiled networks of one model.

    The engine waits for the compilation of the first shape. Later shapes are compiled in the
    background; meanwhile, or if the compilation fails, PyTorch runs their frames. In int8 the
    engine waits for no shape: PyTorch runs the first frames, which calibrate the value ranges.

    `name`, `precision` and `reason` are those of the last frame, also if PyTorch ran it.

    :param model: is not modified; its weights must not change.
    :param device: OpenVINO's name of the device, 'CPU' or 'GPU'.
    """

    input_size = None

    def __init__(self, model: Network, precision: str, device: str = 'CPU') -> None:
        self.device = torch.device('cpu')
        self._precision = precision
        self._reason = ''
        self._openvino_device = device
        self._core = core()
        contents = fingerprint(model.state_dict())
        compiler = f'openvino {import_openvino().__version__}'
        self._store = ModelStore(model.config.name, contents, compiler)
        self._model = model
        self._fallback = TorchEngine(model, self.device, cpu_precision(), keep_weights=True)
        self._fallback_reason = ''
        """Why PyTorch ran the last frame; '': it did not."""
        self._loaded: OrderedDict[_Shape, _Request] = OrderedDict()
        self._failed: set[_Shape] = set()
        self._calibration: dict[_Shape, list[Tensor]] = {}
        """Calibration frames collected so far."""
        self._compilations: dict[_Shape, Compilation] = {}
        """At most one, because two would take CPU time from inference."""
        weakref.finalize(self, _kill_all, self._compilations)

    @property
    def name(self) -> str:
        """The engine that ran the last frame: 'openvino', or 'torch' in its place."""
        return self._fallback.name if self._fallback_reason else 'openvino'

    @property
    def precision(self) -> str:
        """The precision of the last frame."""
        return self._fallback.precision if self._fallback_reason else self._precision

    @property
    def reason(self) -> str:
        """Why this engine was chosen, or why PyTorch runs in its place."""
        return self._fallback_reason or self._reason

    @reason.setter
    def reason(self, reason: str) -> None:
        self._reason = reason

    @property
    def loaded_shapes(self) -> tuple[_Shape, ...]:
        """Shapes of the networks in memory; the most recently used is last."""
        return tuple(self._loaded)

    def create_transfer(self) -> Transfer:
        """See `Engine.create_transfer`."""
        return create_transfer(self.device)

    def run(self, frames: Tensor, state: State | None, *, reuse_state: bool = False) -> Result:
        """See `Engine.run`."""
        state = self._model.check_inputs(frames, state)
        if isinstance(state, AttentionState):
            shape = (len(frames), 1, *frames.shape[2:])
        else:
            shape = tuple(frames.shape)
        if not self._loaded and self._precision != 'int8':
            self._wait_for(shape)
        if self._make_ready(shape):
            self._fallback_reason = ''
            self._loaded.move_to_end(shape)
            return run_step(self._loaded[shape], frames, state, reuse_state=reuse_state)
        failed = shape in self._failed
        self._fallback_reason = 'openvino failed' if failed else 'until openvino is ready'
        if self._precision == 'int8' and not _is_blank(frames):  # blank as in a warm-up
            self._add_calibration_frames(shape, [frames])
        return self._fallback.run(frames, state, reuse_state=reuse_state)

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
        self._finish_compilations()
        if shape in self._loaded or shape in self._failed:
            return shape in self._loaded
        if self._load_stored(shape):
            return True
        if not self._compilations and self._is_calibrated(shape):
            self._start(shape)
        return False

    def _is_calibrated(self, shape: _Shape) -> bool:
        return (
            self._precision != 'int8'
            or len(self._calibration.get(shape, ())) >= CALIBRATION_FRAMES
        )

    def _add_calibration_frames(self, shape: _Shape, frames: list[Tensor]) -> None:
        """Store frames for int8 calibration while more are needed."""
        if self._precision == 'int8' and shape not in self._compilations:
            stored = self._calibration.setdefault(shape, [])
            stored.extend(frame.clone() for frame in frames[: CALIBRATION_FRAMES - len(stored)])

    def _wait_for(self, shape: _Shape) -> None:
        """Wait until a shape is loaded or has failed."""
        while not self._make_ready(shape) and shape not in self._failed:
            for each, compilation in self._compilations.items():
                if not compilation.wait(_REPORT_S):
                    _LOG.warning(
                        'OpenVINO has been compiling the network for %dx%d for %.0f s',
                        *(each[-1], each[-2], compilation.running_s),
                    )

    def _start(self, shape: _Shape) -> None:
        entries = dict(self._model.state_dict())
        if frames := self._calibration.pop(shape, []):
            entries[FRAMES_KEY] = torch.cat(frames, dim=1)
        try:
            self._compilations[shape] = Compilation(
                self._model.config.name, self._compilation_target(shape), entries
            )
        except (OSError, RuntimeError) as error:
            self._mark_failed(shape, error)

    def _finish_compilations(self) -> None:
        """Load what was compiled; mark the shapes that failed."""
        for shape, compilation in list(self._compilations.items()):
            if not compilation.wait(0):
                continue
            del self._compilations[shape]
            try:
                network = compilation.finish()
                self._load(shape, network)
            except (FlashDepthError, RuntimeError, MemoryError) as error:
                self._mark_failed(shape, error)
            else:
                self._store.write(self._compilation_target(shape), network)

    def _load_stored(self, shape: _Shape) -> bool:
        target = self._compilation_target(shape)
        network = self._store.read(target)
        if network is None:
            return False
        try:
            self._load(shape, network)
        except (RuntimeError, MemoryError) as error:
            self._store.discard(target, f'cannot be loaded ({error})')
        return shape in self._loaded

    def _load(self, shape: _Shape, network: bytes) -> None:
        config = openvino_config(self._openvino_device, self._precision)
        compiled = self._core.import_model(network, self._openvino_device, config)
        self._calibration.pop(shape, None)
        self._loaded[shape] = _Request(compiled)
        while len(self._loaded) > MAX_LOADED:
            self._loaded.popitem(last=False)

    def _mark_failed(self, shape: _Shape, error: Exception) -> None:
        self._failed.add(shape)
        reason = str(error).strip().rpartition('\n')[2]
        _LOG.warning('using torch for inference at %dx%d: %s', shape[-1], shape[-2], reason)

    def _compilation_target(self, shape: _Shape) -> CompilationTarget:
        return CompilationTarget(shape, self._precision, self._openvino_device)


class _Request:
    """A compiled network that runs on memory of torch tensors, without copies."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        self._shapes = [tuple(output.shape) for output in compiled.outputs]

    def __call__(self, frames: Tensor, state: State | None) -> tuple[Tensor, list[Tensor]]:
        # Keep references: OpenVINO holds none to the copies that `contiguous` may make.
        inputs = [part.contiguous() for part in (frames, *(state or ()))]
        outputs = [torch.empty(shape) for shape in self._shapes]
        for index, tensor in enumerate(inputs):
            self._request.set_input_tensor(index, _shared(tensor))
        for index, tensor in enumerate(outputs):
            self._request.set_output_tensor(index, _shared(tensor))
        self._request.infer()
        return outputs[0], outputs[1:]


def _is_blank(frames: Tensor) -> bool:
    """Return whether all pixels of a frame are the same."""
    return bool((frames == frames[..., :1, :1]).all())


def _shared(tensor: Tensor) -> Any:
    import openvino

    return openvino.Tensor(tensor.detach().numpy(), shared_memory=True)


def _kill_all(compilations: dict[_Shape, Compilation]) -> None:
    for compilation in compilations.values():
        compilation.kill()
