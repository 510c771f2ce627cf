"""Run the network as a captured CUDA graph: one launch per frame instead of a thousand."""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from flashdepth_ros.network import FlashDepth, StreamState
from flashdepth_ros.runtime.engines.engine import Result
from flashdepth_ros.runtime.engines.torch_engine import TorchEngine

MAX_GRAPHS = 4
"""Maximum number of graphs in memory, one per shape; the least recently used is dropped."""
_WARM_UP_RUNS = 3
"""Runs before the capture, in which libraries choose their algorithms and fill caches."""

_Recorder = Callable[[Callable[[], Result]], tuple[Callable[[], None], Result]]
"""Captures a function; returns a function that replays it, and the outputs it writes to."""


class GraphEngine(TorchEngine):
    """
    Runs the module as graphs that read and write fixed memory, including the state.

    :param recorder: captures a graph; tests replace it to run on a CPU.
    """

    def __init__(
        self,
        model: FlashDepth,
        device: torch.device,
        precision: str,
        recorder: _Recorder | None = None,
    ) -> None:
        super().__init__(model, device, precision)
        self._record = recorder or partial(record_cuda, device)
        self._graphs: OrderedDict[tuple[int, ...], _Graph] = OrderedDict()

    @property
    def captured_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the graphs in memory; the most recently used is last."""
        return tuple(self._graphs)

    @torch.inference_mode()
    def run(self, frames: Tensor, state: StreamState | None) -> Result:
        """Run `FlashDepth.forward` on frames that are on the engine's device."""
        state = self._model.check_inputs(frames, state)
        shape = tuple(frames.shape)
        if shape not in self._graphs:
            self._graphs[shape] = _Graph(super().run, self._record, (frames, state))
            while len(self._graphs) > MAX_GRAPHS:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(shape)
        return self._graphs[shape](frames, state)


class _Graph:
    """A captured graph of one shape; inputs are copied to the memory that it reads."""

    def __init__(
        self,
        run: Callable[[Tensor, StreamState | None], Result],
        record: _Recorder,
        example: tuple[Tensor, StreamState | None],
    ) -> None:
        frames, state = example
        self._frames = frames.clone()
        self._state = None if state is None else StreamState(state.ssm.clone())
        self._replay, self._outputs = record(lambda: run(self._frames, self._state))

    def __call__(self, frames: Tensor, state: StreamState | None) -> Result:
        self._frames.copy_(frames, non_blocking=True)
        if self._state is not None and state is not None:
            self._state.ssm.copy_(state.ssm, non_blocking=True)
        self._replay()
        inverse_depth, new_state = self._outputs
        # Copies, because the next frame overwrites the outputs.
        copied_state = None if new_state is None else StreamState(new_state.ssm.clone())
        return inverse_depth.clone(), copied_state


def record_cuda(
    device: torch.device, run: Callable[[], Result]
) -> tuple[Callable[[], None], Result]:
    """Capture the kernels that `run` launches, after warm-up runs on a side stream."""
    with torch.cuda.device(device):
        main_stream, side_stream = torch.cuda.current_stream(), torch.cuda.Stream()
        side_stream.wait_stream(main_stream)
        with torch.cuda.stream(side_stream):
            for _ in range(_WARM_UP_RUNS):
                run()
        main_stream.wait_stream(side_stream)
        graph = torch.cuda.CUDAGraph()
        # thread_local: other threads, such as that of another camera, may allocate meanwhile.
        with torch.cuda.graph(graph, capture_error_mode='thread_local'):
            outputs = run()
    return graph.replay, outputs
