"""The time of each part of a network, captured by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn

from flashdepth_ros.network import FlashDepth
from flashdepth_ros.runtime.engines.graph_engine import CudaRecorder
from flashdepth_ros.runtime.gpu_check.bench import Bench
from flashdepth_ros.runtime.gpu_check.table import PAPER, median_ms


def parts(bench: Bench) -> Iterator[dict[str, Any]]:
    """Time the parts of FlashDepth at 2K; on a GPU the encoder and the context run at once."""
    name, size, _ = PAPER
    model = bench.model(name)
    assert isinstance(model, FlashDepth)
    engine = bench.engine(model, bench.precisions[0])
    calls: dict[str, Callable[[], Any]] = {}
    hooks = [
        part.register_forward_pre_hook(partial(_keep_call, calls, name))
        for name, part in _parts_of(model).items()
    ]
    (frame,) = bench.frames(1, bench.size(*size))
    with engine.computing():
        model.step(frame, model.check_inputs(frame, None))
        for hook in hooks:
            hook.remove()
        for name, call in calls.items():
            # The head computes in the type of its weights.
            plain = torch.autocast(bench.device.type, enabled=False)
            with plain if name == 'head' else nullcontext():
                replay = call if bench.rehearsal else CudaRecorder(bench.device)(call)[0]
                milliseconds = median_ms(bench, replay)
            yield {'part': name, 'ms': round(milliseconds, 3)}


def _parts_of(model: FlashDepth) -> dict[str, nn.Module]:
    named = {
        'encoder': model.encoder,
        'context': model.context,
        'fusion': model.fusion,
        'temporal': model.temporal,
        **{f'level {level}': part for level, part in model.decoder.levels.items()},
        'head': model.decoder.head,
    }
    return {name: part for name, part in named.items() if part is not None}


def _keep_call(
    calls: dict[str, Callable[[], Any]], name: str, part: nn.Module, arguments: tuple[Any, ...]
) -> None:
    calls.setdefault(name, partial(part, *arguments))
