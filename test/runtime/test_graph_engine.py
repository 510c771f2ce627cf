"""What surrounds a captured graph, tried on a CPU: a recorder there repeats the run itself."""

import pytest
import torch

from flashdepth_ros.network import StreamState
from flashdepth_ros.runtime.engines import graph_engine
from flashdepth_ros.runtime.engines.graph_engine import GraphEngine
from support import golden_models
from support.gpu_on_cpu import Recorder

PRESET = 'flashdepth-tiny'
SIZE = (70, 98)


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def engine(recorder):
    model = golden_models.golden_model(PRESET)
    return GraphEngine(model, torch.device('cpu'), 'fp32', recorder)


def clip_of(count, size=SIZE):
    return golden_models.golden_clip(count, *size).split(1, dim=1)


def test_a_stream_is_that_of_the_module_and_captured_once(engine, recorder):
    model, ours, theirs = golden_models.golden_model(PRESET), None, None
    for frame in clip_of(4):
        maps, ours = engine.run(frame, ours)
        with torch.inference_mode():
            expected, theirs = model(frame, theirs)
        torch.testing.assert_close(maps, expected, rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(ours.ssm, theirs.ssm, rtol=1e-5, atol=1e-6)
    assert recorder.captures == 1


def test_results_are_values(engine):
    first, second, third = clip_of(3)
    _, state = engine.run(first, None)
    kept = state.ssm.clone()
    maps, _ = engine.run(second, state)
    shown = maps.clone()
    engine.run(third, None)
    assert torch.equal(state.ssm, kept)
    assert torch.equal(maps, shown)
    assert torch.equal(engine.run(second, StreamState(kept))[0], shown)


def test_a_stream_starts_anew_from_a_graph_that_has_run(engine):
    first, second, _ = clip_of(3)
    fresh, state = engine.run(first, None)
    engine.run(second, state)
    assert torch.equal(engine.run(first, None)[0], fresh)


def test_graphs_are_let_go(engine, recorder, monkeypatch):
    monkeypatch.setattr(graph_engine, 'CAPTURED', 2)
    for size in (SIZE, (56, 70), (42, 56), (56, 70), SIZE):
        engine.run(clip_of(1, size)[0], None)
        assert len(engine.captured) <= 2
    assert engine.captured == ((1, 1, 3, 56, 70), (1, 1, 3, *SIZE))
    assert recorder.captures == 4
