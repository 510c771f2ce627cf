"""Run the network as a captured CUDA graph: one launch per frame instead of a thousand."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from functools import cache
import logging
from threading import Lock

import torch
from torch import Tensor

from flashdepth_ros.network import AttentionState, Network, State
from flashdepth_ros.network.encoder import Block, Encoder
from flashdepth_ros.runtime.engines import gpu_options
from flashdepth_ros.runtime.engines.network_step import Result, Step, run_step
from flashdepth_ros.runtime.engines.torch_engine import TorchEngine

MAX_GRAPHS = 8
"""
Maximum number of graphs in memory, one per shape; the least recently used is dropped.

The governor has seven sizes.
"""
EAGER_FRAMES = 2
"""Frames of a later size that run without a graph before it is captured at the next one."""
_LOG = logging.getLogger(__name__)
_CAPTURE = Lock()
"""CUDA does not allow two captures at a time, also not of two devices."""
_WARM_UP_RUNS = 2
"""Runs before the capture, in which libraries choose their algorithms and fill caches."""

_Outputs = tuple[Tensor, Sequence[Tensor]]
_Recorder = Callable[[Callable[[], _Outputs]], tuple[Callable[[], None], _Outputs]]
"""Captures a function; returns a function that replays it, and the outputs it writes to."""


class GraphEngine(TorchEngine):
    """
    Runs the module as graphs that read and write fixed memory, including the state.

    The first size waits for its capture. Frames of a later one run without a graph at first, so
    that one that lasts for a few frames costs no capture, and none waits for several runs.

    :param recorder: captures a graph; tests replace it to run on a CPU.
    :param options: of `GPU_OPTIONS`.
    """

    def __init__(
        self,
        model: Network,
        device: torch.device,
        precision: str,
        recorder: _Recorder | None = None,
        options: Sequence[str] = (),
    ) -> None:
        for module in model.modules():
            if isinstance(module, Block):
                module.fold_scales()  # in float32; the results change by rounding only
        super().__init__(model, device, precision)
        self._record = recorder or CudaRecorder(device)
        gpu_options.arrange(model, self._dtype != torch.float32)
        if 'compiled' in options:
            gpu_options.compile_parts(model, self.computing)
        self._graphs: OrderedDict[tuple[int, ...], _Graph] = OrderedDict()
        self._failed: set[tuple[int, ...]] = set()
        self._eager_frames: Counter[tuple[int, ...]] = Counter()

    @property
    def captured_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the graphs in memory; the most recently used is last."""
        return tuple(self._graphs)

    def run(self, frames: Tensor, state: State | None, *, reuse_state: bool = False) -> Result:
        """See `Engine.run`."""
        with self.computing():
            state = self._model.check_inputs(frames, state)
            graph = self._graph(
                frames[:, :1] if isinstance(state, AttentionState) else frames, state
            )
            if graph is None:
                return run_step(self._step, frames, state, reuse_state=reuse_state)
            if reuse_state and isinstance(state, AttentionState):
                state = graph.take(state)
            return run_step(graph, frames, state, reuse_state=reuse_state)

    def prepare(self, frames: Tensor) -> None:
        """Capture the graph of this size, and run it once."""
        first = frames[:1]
        with self.computing():
            state = self._model.check_inputs(first, None)
            if tuple(first.shape) not in (*self._graphs, *self._failed):
                self._capture(first, state)
        self.run(first, None)

    def _graph(self, frames: Tensor, state: State | None) -> '_Graph | None':
        """Return the graph of a shape, None if there is none yet or its capture has failed."""
        shape = tuple(frames.shape)
        if shape not in self._graphs:
            if shape in self._failed:
                return None
            if self._graphs and self._eager_frames[shape] < EAGER_FRAMES:
                self._eager_frames[shape] += 1
                return None
            self._capture(frames, state)
        if shape in self._graphs:
            self._graphs.move_to_end(shape)
        return self._graphs.get(shape)

    def _capture(self, frames: Tensor, state: State | None) -> None:
        shape = tuple(frames.shape)
        while len(self._graphs) >= MAX_GRAPHS:  # before, so that its memory is free
            dropped, _ = self._graphs.popitem(last=False)
            del self._eager_frames[dropped]
        try:
            with _CAPTURE:
                self._graphs[shape] = _Graph(self._model, self._step, self._record, frames, state)
        except RuntimeError as error:
            self._failed.add(shape)
            reason = str(error).partition('\n')[0]
            _LOG.warning('%dx%d runs without a graph: %s', shape[-1], shape[-2], reason)


class _Graph:
    """A captured graph of one shape; inputs are copied to the memory that it reads."""

    def __init__(
        self,
        model: Network,
        step: Step,
        record: _Recorder,
        frames: Tensor,
        state: State | None,
    ) -> None:
        self._frames = frames.clone()
        self._state = None if state is None else type(state)(*(part.clone() for part in state))
        self._replay, self._outputs = record(lambda: step(self._frames, self._state))
        # The graph reads these at a fixed address; the model keeps only those of the last size.
        encoders = [module for module in model.modules() if isinstance(module, Encoder)]
        self._kept = [encoder.cached_positions for encoder in encoders]

    def take(self, state: State | None) -> State | None:
        """Return a state in the memory that the graph reads; it is copied if it is elsewhere."""
        for own, given in zip(self._state or (), state or (), strict=True):
            if own.data_ptr() != given.data_ptr():
                own.copy_(given, non_blocking=True)
        return self._state

    def __call__(self, frames: Tensor, state: State | None) -> _Outputs:
        self._frames.copy_(frames, non_blocking=True)
        self.take(state)
        self._replay()
        inverse_depth, update = self._outputs
        # Copies, because the next frame overwrites the outputs.
        return inverse_depth.clone(), [part.clone() for part in update]


class CudaRecorder:
    """
    Captures graphs on one stream of a device, into one memory pool.

    Graphs may share memory because they run one at a time, in any order: nothing in it lasts from
    one run to the next but the outputs, which are copied at once.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, run: Callable[[], _Outputs]) -> tuple[Callable[[], None], _Outputs]:
        """Capture the kernels that `run` launches, after warm-up runs."""
        main, stream = torch.cuda.current_stream(self._device), _capture_stream(self._device)
        # The outer stream, because a capture that fails does not leave its own one.
        with torch.cuda.device(self._device), torch.cuda.stream(main):
            stream.wait_stream(main)
            try:
                with torch.cuda.stream(stream):
                    for _ in range(_WARM_UP_RUNS):
                        run()
            finally:
                main.wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            # thread_local: other threads, such as that of another camera, may allocate meanwhile.
            with torch.cuda.graph(
                graph, self._pool, stream=stream, capture_error_mode='thread_local'
            ):
                outputs = run()
        return graph.replay, outputs


@cache
def _capture_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the stream of captures: one a device, as libraries keep memory for each."""
    return torch.cuda.Stream(device)
