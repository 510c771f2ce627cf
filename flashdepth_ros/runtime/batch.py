"""
Run the frames of several streams as one batch, where that is faster than one by one.

A batch needs PyTorch; a single frame does not.
"""

from __future__ import annotations

from collections.abc import Sequence
import time
from typing import Any

from flashdepth_ros.runtime.depth_frame import PendingFrame
from flashdepth_ros.runtime.engines import Engine
from flashdepth_ros.runtime.estimator import DepthEstimator
from flashdepth_ros.runtime.transfer import Array

_RUNS = 5
"""A GPU runs the first ones of a shape without a graph, and captures it in the third."""


def launch_together(estimators: Sequence[DepthEstimator], pending: Sequence[PendingFrame]) -> None:
    """
    Launch prepared frames of several streams, those of one size as a batch.

    :param estimators: of different streams, with the same engine.
    :param pending: what `prepare` of each of them returned.
    """
    batches: dict[tuple[int, ...], list[tuple[DepthEstimator, PendingFrame]]] = {}
    for estimator, frame in zip(estimators, pending, strict=True):
        batches.setdefault(tuple(frame.frame.shape), []).append((estimator, frame))
    for batch in batches.values():
        _launch_batch(batch)


def _launch_batch(batch: Sequence[tuple[DepthEstimator, PendingFrame]]) -> None:
    if len(batch) == 1:
        estimator, pending = batch[0]
        estimator.launch(pending, *estimator.run(pending.frame))
        return
    import torch

    engine = batch[0][0].engine
    frames = torch.cat([pending.frame for _, pending in batch])
    state: Any
    predictions, state = engine.run(frames, _joined([each.state for each, _ in batch]))
    states = [None] * len(batch) if state is None else state.split()
    for (estimator, pending), prediction, own in zip(
        batch, predictions.split(1), states, strict=True
    ):
        estimator.launch(pending, prediction, own)


def _joined(states: Sequence[Any]) -> Any:
    kind = next((type(state) for state in states if state is not None), None)
    return None if kind is None else kind.join(states)


def batch_gain(engine: Engine, streams: int, size: tuple[int, int]) -> float:
    """
    Return how many times as fast the frames of streams are as a batch as one by one.

    :param size: height and width of the network input, px.
    """
    import torch

    batch = torch.zeros((streams, 1, 3, *size), device=engine.device)
    one_by_one = list(batch.split(1))
    times_s = [
        min(_duration_s(engine, frames) for _ in range(_RUNS)) for frames in (one_by_one, [batch])
    ]
    return times_s[0] / times_s[1]


def _duration_s(engine: Engine, frames: Sequence[Array]) -> float:
    start_s = time.perf_counter()
    for each in frames:
        depth, _ = engine.run(each, None)
    depth.sum().item()  # waits for the device
    return time.perf_counter() - start_s
