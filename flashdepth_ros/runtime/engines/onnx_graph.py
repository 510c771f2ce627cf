"""Turn a network into an ONNX graph of standard operators, for frames of one shape."""

from collections.abc import Iterator
from contextlib import contextmanager
import logging
from typing import Any
import warnings

import onnxscript.optimizer
import torch
from torch import Tensor, nn

from flashdepth_ros.network import Network, State
from flashdepth_ros.runtime.engines.exported_model import (
    FRAMES,
    INVERSE_DEPTH,
    STATE_IN,
    STATE_OUT,
)
from flashdepth_ros.runtime.engines.network_step import CompleteStep, NetworkStep
from flashdepth_ros.runtime.engines.torch_engine import DTYPES, convert_weights

OPSET, IR_VERSION = 18, 8
"""The version of the file format is that of the opset, so that old runtimes read it."""
_FOLDED_BYTES_MAX = 2**28
"""Constants up to this size are computed at export, such as the resized position embeddings."""
_Step = NetworkStep | CompleteStep


def to_onnx(model: Network, shape: tuple[int, ...], precision: str, *, complete: bool) -> Any:
    """
    Return the `onnx.ModelProto` of a network for frames of a shape (B, 1, 3, H, W).

    Inputs are `frames` and `state_in.*`, outputs are `inverse_depth` and `state_out.*`, named
    after the fields of the state. A state of zeros is that of a new sequence.

    :param model: its weights are converted if `precision` is not fp32.
    :param complete: whether `state_out.*` is the next state; False: the argument of `State.after`.
    """
    dtype, frames = DTYPES[precision], torch.zeros(shape)
    with torch.no_grad(), _quiet():
        convert_weights(model, dtype)
        with torch.autocast('cpu', dtype, enabled=dtype != torch.float32):
            state = model.check_inputs(frames, None)
        step = CompleteStep(model, state, dtype) if complete else NetworkStep(model, state)
        inputs = (frames, *(state or ()))
        _convert_norms(step, inputs, dtype)
        program = torch.onnx.export(
            torch.export.export(step, inputs),
            input_names=[FRAMES, *(STATE_IN + name for name in _fields(state))],
            output_names=[INVERSE_DEPTH, *(STATE_OUT + name for name in _fields(state, complete))],
            opset_version=OPSET,
            dynamo=True,
            optimize=False,
            verbose=False,
        )
    assert program is not None
    onnxscript.optimizer.optimize(
        program.model, input_size_limit=_FOLDED_BYTES_MAX, output_size_limit=_FOLDED_BYTES_MAX
    )
    return _without_traces(program.model_proto)


def _fields(state: State | None, complete: bool = True) -> tuple[str, ...]:
    """Return the names of the parts of a state; of an update, which counts no frames."""
    names = () if state is None else state._fields
    return names if complete else tuple(name for name in names if name != 'seen')


def _convert_norms(step: _Step, inputs: tuple[Tensor, ...], dtype: torch.dtype) -> None:
    """Convert the weights of the norms whose input is in lower precision: ONNX has one type."""
    if dtype == torch.float32:
        return
    lower: list[nn.Module] = []

    def note(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        if arguments[0].dtype == dtype:
            lower.append(module)

    norms = [each for each in step.modules() if isinstance(each, (nn.LayerNorm, nn.GroupNorm))]
    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    step(*inputs)
    for hook in hooks:
        hook.remove()
    for norm in lower:
        norm.to(dtype)


def _without_traces(model: Any) -> Any:
    """Remove what the exporter notes of its source code, which the file format does not have."""
    graph, model.ir_version = model.graph, IR_VERSION
    for each in (graph, *graph.node, *graph.initializer, *graph.value_info):
        each.doc_string = ''
        del each.metadata_props[:]
    for each in (*graph.input, *graph.output):
        del each.metadata_props[:]
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the warnings of torch about parts of itself."""
    logger = logging.getLogger('torch.onnx')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logger.setLevel(level)
