"""The code around a captured graph, tested on a CPU with a recorder that repeats the run."""

from concurrent.futures import ThreadPoolExecutor
import gc
import time
import weakref

import pytest
import torch

from flashdepth_ros.network import StreamState
from flashdepth_ros.node.governor import SHARES
from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.engines import graph_engine
from flashdepth_ros.runtime.engines.graph_engine import GraphEngine
from support import golden_models
from support.gpu_on_cpu import Recorder, emulate_gpu

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
        engine.prepare(clip_of(1, size)[0])
        assert len(engine.captured_shapes) <= 2
    assert engine.captured_shapes == ((1, 1, 3, 56, 70), (1, 1, 3, *SIZE))
    assert recorder.captures == 4


def test_a_graph_keeps_what_it_reads_until_it_is_dropped(engine, monkeypatch):
    """The model keeps the position embeddings of its last size only."""
    monkeypatch.setattr(graph_engine, 'MAX_GRAPHS', 2)
    engine.prepare(clip_of(1)[0])
    encoder = engine._model.encoder
    positions = weakref.ref(encoder.cached_positions)
    address = positions().data_ptr()
    engine.prepare(clip_of(1, (56, 70))[0])
    assert encoder.cached_positions.data_ptr() != address
    assert positions() is not None
    for size in ((42, 56), (28, 42)):
        engine.prepare(clip_of(1, size)[0])
    gc.collect()  # the recorder's function and the graph refer to each other
    assert positions() is None


def test_a_later_size_runs_without_a_graph_before_it_is_captured(engine, recorder):
    engine.run(clip_of(1)[0], None)
    clip, captures, state, expected_state = clip_of(5, (56, 70)), [], None, None
    model = golden_models.golden_model(PRESET)
    for frame in clip:
        prediction, state = engine.run(frame, state)
        captures.append(recorder.captures)
        with torch.inference_mode():
            expected, expected_state = model(frame, expected_state)
        torch.testing.assert_close(prediction, expected, rtol=1e-5, atol=1e-7)
    assert captures == [1, 1, 2, 2, 2]


def test_a_size_that_does_not_last_is_not_captured(engine, recorder):
    sizes = [(28 + 14 * index, 56) for index in range(4)]
    for size in (SIZE, *sizes, SIZE):
        engine.run(clip_of(1, size)[0], None)
    assert engine.captured_shapes == ((1, 1, 3, *SIZE),)
    assert recorder.captures == 1


def test_there_is_room_for_all_sizes_of_the_governor():
    assert len(SHARES) <= graph_engine.MAX_GRAPHS


def test_the_warm_up_captures_the_graph_of_its_size():
    weights = golden_models.golden_model(PRESET).state_dict()
    estimator = DepthEstimator(PRESET, weights, 'cpu', 'fp32', 'torch')
    emulate_gpu(estimator, PRESET)
    for size in ((56, 70), (70, 98)):
        estimator.warm_up(*size)
        assert estimator.engine.captured_shapes[-1] == (1, 1, 3, *size)


def test_graphs_are_captured_one_at_a_time():
    overlapping = []

    class SlowRecorder(Recorder):
        running = 0

        def __call__(self, run):
            SlowRecorder.running += 1
            overlapping.append(SlowRecorder.running > 1)
            time.sleep(0.05)
            try:
                return super().__call__(run)
            finally:
                SlowRecorder.running -= 1

    engines = [
        GraphEngine(
            golden_models.golden_model(PRESET), torch.device('cpu'), 'fp32', SlowRecorder()
        )
        for _ in range(2)
    ]

    def run(engine):
        for size in (SIZE, (56, 70), (42, 56)):
            engine.prepare(clip_of(1, size)[0])

    with ThreadPoolExecutor() as threads:
        list(threads.map(run, engines))
    assert len(overlapping) == 6
    assert not any(overlapping)


def test_a_size_that_cannot_be_captured_runs_eagerly(engine, recorder, monkeypatch, caplog):
    first, second = clip_of(2)
    _, state = engine.run(first, None)
    expected = engine.run(second, state)[0].clone()

    def fail(_):
        raise RuntimeError('CUDA out of memory. Tried to allocate\nmore')

    other = GraphEngine(golden_models.golden_model(PRESET), torch.device('cpu'), 'fp32', fail)
    for _ in range(2):
        _, state = other.run(first, None)
        torch.testing.assert_close(other.run(second, state)[0], expected, rtol=1e-5, atol=1e-7)
    assert other.captured_shapes == ()
    assert [each.getMessage() for each in caplog.records] == [
        '98x70 runs without a graph: CUDA out of memory. Tried to allocate'
    ]
