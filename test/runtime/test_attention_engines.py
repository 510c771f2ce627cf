"""
Engines run temporal attention, with its cache as a value or in memory of their own.

Not torch_compile, which compiles for two minutes; it passes with its name in the list.
"""

import pytest
import torch

from flashdepth_ros.runtime.engines import EngineChoice, create_engine
from flashdepth_ros.runtime.engines.graph_engine import GraphEngine
from support import golden_models
from support.gpu_on_cpu import Recorder

PRESET = 'video-depth-anything-tiny'
FRAMES = 45
NAMES = ['torch', 'openvino', 'graph']


@pytest.fixture(scope='module')
def clip():
    return golden_models.golden_clip(FRAMES, 42, 56).split(1, dim=1)


@pytest.fixture(scope='module')
def expected(clip):
    model = golden_models.golden_model(PRESET)
    with torch.inference_mode():
        return model(torch.cat(clip, dim=1))[0].split(1, dim=1)


@pytest.fixture(scope='module', params=NAMES)
def engine(request, tmp_path_factory):
    model = golden_models.golden_model(PRESET)
    if request.param == 'graph':
        return GraphEngine(model, torch.device('cpu'), 'fp32', Recorder())
    pytest.importorskip(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
        engine = create_engine(model, EngineChoice('cpu', 'fp32', request.param))
        engine.prepare(torch.zeros(1, 1, 3, 42, 56))
        assert engine.name == request.param
        return engine


def test_stream_matches_the_module_in_constant_memory(engine, clip, expected):
    state, places = None, set()
    for frame, values in zip(clip, expected, strict=True):
        inverse_depth, state = engine.run(frame, state, reuse_state=True)
        torch.testing.assert_close(inverse_depth, values, rtol=2e-4, atol=1e-5)
        places.add(tuple(cache.data_ptr() for cache in state[:-1]))
    assert len(places) == 1
    again, _ = engine.run(clip[0], None, reuse_state=True)
    torch.testing.assert_close(again, expected[0], rtol=2e-4, atol=1e-5)


def test_states_are_values_unless_they_are_given_away(engine, clip, expected):
    _, state = engine.run(torch.cat(clip[:3], dim=1), None)
    before = [part.clone() for part in state]
    for _ in range(2):
        inverse_depth, after = engine.run(clip[3], state)
        torch.testing.assert_close(inverse_depth, expected[3], rtol=2e-4, atol=1e-5)
    assert all(map(torch.equal, state, before))
    assert not {part.data_ptr() for part in after} & {part.data_ptr() for part in state}
