"""The network by OpenVINO: compiled once for each shape of frames."""

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
from flashdepth_ros.runtime.engines.model_store import Compilation, Kind, ModelStore
from flashdepth_ros.runtime.engines.processor import has_bf16, usable_cores
from flashdepth_ros.runtime.engines.torch_engine import TorchEngine

LOADED = 4
"""Compiled networks held in memory, one for each shape; the one used longest ago goes first."""

CALIBRATING = 8
"""Frames by which the network in int8 is calibrated."""

_LOG = logging.getLogger(__name__)
_Shape = tuple[int, ...]


class OpenVinoEngine:
    """
    Runs compiled forms of one model.

    The first shape is waited for. A later one is compiled beside: until it is there PyTorch runs
    the frames of that shape, and goes on to where it cannot be compiled. In int8 no shape is
    waited for: PyTorch runs its first frames, which tell the ranges that 8 bits must hold.

    :param model: left as it is; its weights are not to change.
    :param target: 'CPU' or 'GPU', as OpenVINO names devices.
    """

    name = 'openvino'
    why = ''

    def __init__(self, model: FlashDepth, precision: str, target: str = 'CPU') -> None:
        import openvino

        self.device = torch.device('cpu')
        self.precision = precision
        self._target = target
        self._core = core()
        self._store = ModelStore(model, f'openvino {openvino.__version__}')
        self._model = model
        self._meanwhile = TorchEngine(model, self.device, cpu_precision(), keep=True)
        self._loaded: OrderedDict[_Shape, _Request] = OrderedDict()
        self._failed: set[_Shape] = set()
        self._spoiled: set[_Shape] = set()
        """Those whose file could not be used once; twice, and they have failed."""
        self._seen: dict[_Shape, list[Tensor]] = {}
        """Frames to calibrate by, until there are enough."""
        self._awaited: dict[_Shape, Compilation] = {}
        """At most one: two would take the cores from the frames."""
        weakref.finalize(self, _end, self._awaited)

    @property
    def loaded(self) -> tuple[_Shape, ...]:
        """Shapes whose networks are in memory; the one used last stands last."""
        return tuple(self._loaded)

    def run(self, frames: Tensor, state: StreamState | None) -> Result:
        """Do what `FlashDepth.forward` does."""
        state = self._model.checked(frames, state)
        shape = tuple(frames.shape)
        if not self._loaded and self.precision != 'int8':
            self._wait_for(shape)
        if self._ready(shape):
            self._loaded.move_to_end(shape)
            return self._loaded[shape](frames, state)
        self._see(shape, [frames])
        return self._meanwhile.run(frames, state)

    def prepare(self, frames: Tensor) -> None:
        """Have the network of this size in memory; compile it first where that must be."""
        shape = (1, *frames.shape[1:])
        while not self._is_calibrated(shape):
            self._see(shape, list(frames.split(1)))
        self._wait_for(shape)

    def device_memory_bytes(self) -> int:
        """Return 0: what a CPU takes is the process's own, and an integrated GPU's as well."""
        return 0

    def _ready(self, shape: _Shape) -> bool:
        """Tell whether the network of a shape can run; see to it that it will."""
        if shape in self._loaded:
            return True
        self._collect()
        if shape in self._failed:
            return False
        if self._store.path(self._kind(shape)).exists():
            return self._load(shape)
        if not self._awaited and self._is_calibrated(shape):
            self._start(shape)
        return False

    def _is_calibrated(self, shape: _Shape) -> bool:
        return self.precision != 'int8' or len(self._seen.get(shape, ())) >= CALIBRATING

    def _see(self, shape: _Shape, frames: list[Tensor]) -> None:
        """Keep frames to calibrate by, where more are needed."""
        if self.precision == 'int8' and shape not in self._awaited:
            seen = self._seen.setdefault(shape, [])
            seen.extend(frame.clone() for frame in frames[: CALIBRATING - len(seen)])

    def _wait_for(self, shape: _Shape) -> None:
        """Wait until a shape is loaded, or has failed."""
        while not self._ready(shape) and shape not in self._failed:
            for compilation in self._awaited.values():
                compilation.process.wait()

    def _start(self, shape: _Shape) -> None:
        try:
            self._awaited[shape] = self._store.start(self._kind(shape), self._seen.pop(shape, []))
        except OSError as error:
            self._give_up(shape, error)

    def _collect(self) -> None:
        """Take note of a compilation that has ended."""
        for shape, compilation in list(self._awaited.items()):
            if compilation.done:
                del self._awaited[shape]
                try:
                    compilation.finish()
                except FlashDepthError as error:
                    self._give_up(shape, error)

    def _load(self, shape: _Shape) -> bool:
        path = self._store.path(self._kind(shape))
        try:
            compiled = self._core.import_model(
                path.read_bytes(), self._target, settings(self._target, self.precision)
            )
        except (OSError, RuntimeError) as error:  # cut off, or let go by another process
            if shape in self._spoiled:
                self._give_up(shape, error)
                return False
            self._spoiled.add(shape)
            _LOG.warning('%s cannot be used, it is compiled again', path.name)
            path.unlink(missing_ok=True)
            return False
        self._store.used(path)
        self._seen.pop(shape, None)
        self._loaded[shape] = _Request(compiled)
        while len(self._loaded) > LOADED:
            self._loaded.popitem(last=False)
        return True

    def _give_up(self, shape: _Shape, error: Exception) -> None:
        self._failed.add(shape)
        _LOG.warning('torch runs frames of %dx%d: %s', shape[-1], shape[-2], error)

    def _kind(self, shape: _Shape) -> Kind:
        return Kind(shape, self.precision, self._target)


class _Request:
    """One compiled network, run on memory that torch owns: nothing is copied."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        self._shapes = [tuple(output.shape) for output in compiled.outputs]

    def __call__(self, frames: Tensor, state: StreamState | None) -> Result:
        # Held until it has run: OpenVINO does not hold what `contiguous` had to copy.
        given = [frames.contiguous()]
        if state is not None:
            given.append(state.ssm.contiguous())
        made = [torch.empty(shape) for shape in self._shapes]
        for index, tensor in enumerate(given):
            self._request.set_input_tensor(index, _shared(tensor))
        for index, tensor in enumerate(made):
            self._request.set_output_tensor(index, _shared(tensor))
        self._request.infer()
        return made[0], None if state is None else StreamState(made[1])


def _shared(tensor: Tensor) -> Any:
    import openvino

    return openvino.Tensor(tensor.detach().numpy(), shared_memory=True)


def settings(target: str, precision: str) -> dict[str, Any]:
    """Return what OpenVINO is to be told to compile, or to load what it compiled."""
    chosen: dict[str, Any] = {'PERFORMANCE_HINT': 'LATENCY'}
    hint = cpu_precision() if precision == 'int8' else precision
    chosen['INFERENCE_PRECISION_HINT'] = {'fp32': 'f32', 'bf16': 'bf16'}[hint]
    if target == 'CPU':
        chosen['INFERENCE_NUM_THREADS'] = usable_cores()
    return chosen


def cpu_precision() -> str:
    """Return the precision in which this CPU is fastest while all but exact."""
    return 'bf16' if has_bf16() else 'fp32'


def intel_gpus() -> list[str]:
    """Return the GPUs that OpenVINO can use here, by its names."""
    if find_spec('openvino') is None:
        return []
    return [name for name in core().available_devices if name.startswith('GPU')]


@cache
def core() -> Any:
    """
    Return this process's one way into OpenVINO, which is never let go.

    Each one sets the stack on which signals are handled, and puts back what was there before when
    it ends; where another has ended meanwhile, that memory is gone, and the next signal kills.
    """
    import openvino

    return openvino.Core()


def _end(awaited: dict[_Shape, Compilation]) -> None:
    for compilation in awaited.values():
        compilation.end()
