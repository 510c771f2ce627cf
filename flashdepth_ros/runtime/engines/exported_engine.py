"""Run an exported model on numpy arrays; nothing here imports PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from flashdepth_ros.errors import CheckpointError, InputError
from flashdepth_ros.network.config import TemporalConfig
from flashdepth_ros.runtime.engines.exported_model import (
    FRAMES,
    INVERSE_DEPTH,
    STATE_IN,
    STATE_OUT,
    ExportedModel,
)
from flashdepth_ros.runtime.preprocess import FixedSize
from flashdepth_ros.runtime.transfer import CpuTransfer

Float32 = npt.NDArray[np.float32]


class Session(Protocol):
    """Runs a graph; the parts of the state are of a type of its own."""

    name: str
    provider: str
    """What runs the graph, for users."""
    on_host: bool
    """Whether the state is in the memory of the CPU."""
    state_bytes: int
    """Memory of the state of all streams."""
    inputs: dict[str, tuple[int, ...]]
    outputs: dict[str, tuple[int, ...]]

    @property
    def device(self) -> str:
        """The device of the network."""

    def zeros(self) -> tuple[Any, ...]:
        """Return the parts of the state of new sequences."""

    def run(self, frames: Float32, parts: Sequence[Any]) -> tuple[Float32, tuple[Any, ...]]:
        """Return inverse depth as an array, and the parts of the next state."""

    def array(self, part: Any) -> npt.NDArray[Any]:
        """Return a part of the state as an array."""


@dataclass(frozen=True)
class ExportedState:
    """The state of streams of an exported model; it belongs to one size of frames."""

    parts: tuple[Any, ...]
    session: Session
    recurrent: bool
    """Whether the state can be non-finite although the prediction is finite."""

    def fits(self, _height: int, _width: int) -> bool:
        """Return True: an exported model has one size."""
        return True

    def memory_bytes(self) -> int:
        """Return the memory of the state."""
        return self.session.state_bytes

    def unproven_parts(self) -> tuple[npt.NDArray[Any], ...]:
        """
        Return the parts that can be non-finite although the prediction is finite.

        None on a GPU, where the prediction of the next frame shows it: reading them would wait.
        """
        if not (self.recurrent and self.session.on_host):
            return ()
        return tuple(self.session.array(part) for part in self.parts)


class ExportedEngine:
    """
    Runs an exported model, on frames and inverse depth as numpy arrays.

    :raises CheckpointError: the inputs and outputs of the graph are not those of its preset.
    """

    def __init__(self, exported: ExportedModel, session: Session, precision: str) -> None:
        self.exported, self.precision = exported, precision
        self.name, self.device = session.name, session.device
        self.reason = session.provider
        self._session = session
        self._recurrent = isinstance(exported.config.temporal, TemporalConfig)
        _check_graph(exported, session)

    @property
    def input_size(self) -> FixedSize | None:
        """The size of all frames."""
        return FixedSize(*self.exported.size, str(self.exported.path))

    def create_transfer(self) -> CpuTransfer:
        """Return what converts images to frames, and inverse depth to the size of the image."""
        return CpuTransfer()

    def run(
        self,
        frames: Float32,
        state: ExportedState | None,
        *,
        reuse_state: bool = False,  # noqa: ARG002 - the graph writes the next state elsewhere
    ) -> tuple[Float32, ExportedState | None]:
        """See `Engine.run`."""
        self._check(frames, state)
        parts = self._session.zeros() if state is None else state.parts
        estimates = []
        for index in range(frames.shape[1]):
            inverse_depth, parts = self._session.run(frames[:, index : index + 1], parts)
            estimates.append(inverse_depth)
        found = estimates[0] if len(estimates) == 1 else np.concatenate(estimates, axis=1)
        return found, ExportedState(parts, self._session, self._recurrent) if parts else None

    def prepare(self, frames: Float32) -> None:
        """Run one frame, for which a GPU provider builds its engine."""
        self.run(frames[:1, :1], None)

    def device_memory_bytes(self) -> int:
        """Return 0: ONNX Runtime does not tell."""
        return 0

    def _check(self, frames: Float32, state: ExportedState | None) -> None:
        expected = self._session.inputs[FRAMES]
        shape = (*frames.shape[:1], 1, *frames.shape[2:])
        if shape != expected or frames.dtype != np.float32 or not frames.shape[1]:
            raise InputError(
                f'frames of shape {frames.shape} and type {frames.dtype} given, '
                f'(B, T, 3, H, W) float32 as in {expected} expected: {self.exported.path} is for '
                'this size and number of streams alone'
            )
        if state is not None and state.session is not self._session:
            raise InputError(
                'state of another model given: pass the state that the same engine returned for '
                'these streams, or None'
            )


def _check_graph(exported: ExportedModel, session: Session) -> None:
    """Check that a graph has the inputs and outputs of its preset, each state in and out."""
    parts_in = {name.removeprefix(STATE_IN) for name in session.inputs} - {FRAMES}
    parts_out = {name.removeprefix(STATE_OUT) for name in session.outputs} - {INVERSE_DEPTH}
    shape = (exported.batch, 1, 3, *exported.size)
    named = {FRAMES} <= set(session.inputs) and {INVERSE_DEPTH} <= set(session.outputs)
    state = bool(parts_in) == (exported.config.temporal is not None) and parts_in == parts_out
    if named and state and session.inputs[FRAMES] == shape:
        return
    expected = f'{FRAMES} {shape}' + (f' and {STATE_IN}*' if exported.config.temporal else '')
    raise CheckpointError(
        f'{exported.path}: its inputs are {", ".join(session.inputs)} and its outputs '
        f'{", ".join(session.outputs)}, but {exported.config.name} has {expected}, each state in '
        'and out: it was changed after the export; export it again'
    )
