"""The code around a captured graph, tested on a CPU with a recorder that repeats the run."""

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


def test_stream_matches_the_module_with_a_single_capture(engine, recorder):
    model, state, expected_state = golden_models.golden_model(PRESET), None, None
    for frame in clip_of(4):
        prediction, state = engine.run(frame, state)
        with torch.inference_mode():
            expected, expected_state = model(frame, expected_state)
        torch.testing.assert_close(prediction, expected, rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(state.ssm, expected_state.ssm, rtol=1e-5, atol=1e-6)
    assert recorder.captures == 1


def test_results_do_not_change_later(engine):
    first, second, third = clip_of(3)
    _, state = engine.run(first, None)
    ssm = state.ssm.clone()
    prediction, _ = engine.run(second, state)
    expected = prediction.clone()
    engine.run(third, None)
    assert torch.equal(state.ssm, ssm)
    assert torch.equal(prediction, expected)
    assert torch.equal(engine.run(second, StreamState(ssm))[0], expected)


def test_used_graph_can_start_a_new_stream(engine):
    first, second, _ = clip_of(3)
    fresh, state = engine.run(first, None)
    engine.run(second, state)
    assert torch.equal(engine.run(first, None)[0], fresh)


def test_least_recently_used_graph_is_dropped(engine, recorder, monkeypatch):
    monkeypatch.setattr(graph_engine, 'MAX_GRAPHS', 2)
    for size in (SIZE, (56, 70), (42, 56), (56, 70), SIZE):
        engine.run(clip_of(1, size)[0], None)
        assert len(engine.captured_shapes) <= 2
    assert engine.captured_shapes == ((1, 1, 3, 56, 70), (1, 1, 3, *SIZE))
    assert recorder.captures == 4
