"""The network on a GPU as a captured CUDA graph: one launch a frame instead of a thousand."""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from flashdepth_ros.network import FlashDepth, StreamState
from flashdepth_ros.runtime.engines.engine import Result
from flashdepth_ros.runtime.engines.torch_engine import TorchEngine

CAPTURED = 4
"""Graphs held, one for each shape; the one used longest ago goes first."""
_WARM_UP = 3
"""Runs before the capture, in which libraries choose their algorithms and caches fill."""

_Recorder = Callable[[Callable[[], Result]], tuple[Callable[[], None], Result]]
"""Takes what is to be repeated; returns what repeats it, and where its results then lie."""


class GraphEngine(TorchEngine):
    """
    Runs the module by graphs on memory of their own, the state's included.

    :param recorder: what captures; another one lets a CPU try what a GPU does.
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
    def captured(self) -> tuple[tuple[int, ...], ...]:
        """Shapes whose graphs are held; the one used last stands last."""
        return tuple(self._graphs)

    @torch.inference_mode()
    def run(self, frames: Tensor, state: StreamState | None) -> Result:
        """Do what `FlashDepth.forward` does, on frames that lie on the engine's device."""
        state = self._model.checked(frames, state)
        shape = tuple(frames.shape)
        if shape not in self._graphs:
            self._graphs[shape] = _Graph(super().run, self._record, (frames, state))
            while len(self._graphs) > CAPTURED:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(shape)
        return self._graphs[shape](frames, state)


class _Graph:
    """One captured shape: what goes in is copied to where the graph reads it."""

    def __init__(
        self,
        run: Callable[[Tensor, StreamState | None], Result],
        record: _Recorder,
        example: tuple[Tensor, StreamState | None],
    ) -> None:
        frames, state = example
        self._frames = frames.clone()
        self._state = None if state is None else StreamState(state.ssm.clone())
        self._repeat, self._made = record(lambda: run(self._frames, self._state))

    def __call__(self, frames: Tensor, state: StreamState | None) -> Result:
        self._frames.copy_(frames, non_blocking=True)
        if self._state is not None and state is not None:
            self._state.ssm.copy_(state.ssm, non_blocking=True)
        self._repeat()
        maps, after = self._made
        # Copies, for results are values: the next frame writes where these lie.
        return maps.clone(), None if after is None else StreamState(after.ssm.clone())


def record_cuda(
    device: torch.device, run: Callable[[], Result]
) -> tuple[Callable[[], None], Result]:
    """Capture what `run` launches; run it a few times before, on a stream beside."""
    with torch.cuda.device(device):
        here, beside = torch.cuda.current_stream(), torch.cuda.Stream()
        beside.wait_stream(here)
        with torch.cuda.stream(beside):
            for _ in range(_WARM_UP):
                run()
        here.wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        # Other threads, such as another camera's, may allocate meanwhile.
        with torch.cuda.graph(graph, capture_error_mode='thread_local'):
            made = run()
    return graph.replay, made
