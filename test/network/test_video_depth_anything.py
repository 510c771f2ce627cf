"""Laws of the streaming mode of Video Depth Anything, past the point where its cache slides."""

import pytest
import torch

from flashdepth_ros.errors import InputError
from flashdepth_ros.network import (
    AttentionState,
    StreamState,
    create_model,
    load_weights,
    window,
)
from flashdepth_ros.network.temporal_attention import SPAN, CachePlaces
from support.golden_models import golden_clip, golden_model

MODEL = 'video-depth-anything-tiny'
SIZE = (28, 42)
FRAMES = 46
CLOSE = {'rtol': 2e-4, 'atol': 1e-5}
"""Batches of another size round differently; the random weights enlarge that."""


@pytest.fixture(scope='module')
def model():
    return golden_model(MODEL)


@pytest.fixture(scope='module')
def clip():
    return golden_clip(FRAMES, *SIZE)


@pytest.fixture(scope='module')
def states(model, clip):
    """The state after each frame, and all estimates."""
    state, states, estimates = None, [], []
    for frame in clip.split(1, dim=1):
        inverse_depth, state = run(model, frame, state)
        states.append(state)
        estimates.append(inverse_depth)
    return states, torch.cat(estimates, dim=1)


def run(model, frames, state=None):
    with torch.inference_mode():
        return model(frames, state)


def assert_same(state, other):
    for part, expected in zip(state, other, strict=True):
        torch.testing.assert_close(part, expected, rtol=1e-3, atol=5e-3)


def window_of(frame):
    """Return the frames that the released code lets frame number `frame` attend to."""
    before = [max(0, frame - age) for age in range(SPAN, 0, -1)]
    return [0, before[0], *before[-29:], frame] if frame else [0]


def test_frames_at_once_equal_frames_one_by_one(model, clip, states):
    at_once, last = run(model, clip)
    torch.testing.assert_close(at_once, states[1], **CLOSE)
    assert_same(last, states[0][-1])


@pytest.mark.parametrize('frame', [0, 1, 5, 29, 30, 40, 41, 42, 45])
def test_slots_take_the_places_of_the_released_window(frame):
    """Each frame's slot must hold the frame that has its place in the list of cached frames."""
    places = CachePlaces.after(torch.tensor([frame]))
    frames = [0] + [max(0, last_of(slot, frame)) for slot in range(SPAN)]
    taken = sorted(
        (place, frames[slot]) for slot, place in enumerate(places.slots[0].tolist()) if place >= 0
    )
    assert [*(each for _, each in taken), frame] == window_of(frame)
    assert [place for place, _ in taken] == list(range(len(taken)))
    assert places.frame.item() == len(taken)
    written = [last_of(slot, frame) >= 0 for slot in range(SPAN)]
    if frame:
        assert places.copies[0].tolist() == [False, *(not each for each in written)]


def last_of(slot, frame):
    """Return the last frame before `frame` that was written to a slot; negative: none."""
    return next(each for each in range(frame - 1, frame - 1 - SPAN, -1) if each % SPAN == slot)


def test_the_first_frame_is_a_window_of_its_own(model, clip, states):
    with torch.inference_mode():
        alone = window(model, clip[:, :1])
    torch.testing.assert_close(states[1][:, :1], alone)


@pytest.mark.parametrize('stop', [1, 20, 43])
def test_a_restored_state_continues_the_sequence(model, clip, states, tmp_path, stop):
    torch.save(states[0][stop - 1]._asdict(), tmp_path / 'state.pt')
    restored = AttentionState(**torch.load(tmp_path / 'state.pt', weights_only=True))
    estimates, _ = run(model, clip[:, stop:], restored)
    torch.testing.assert_close(estimates, states[1][:, stop:], **CLOSE)


def test_batched_streams_equal_separate_streams(model, clip, states):
    continued = [states[0][43], states[0][2], None]
    frames = clip[0, [44, 3, 7]].unsqueeze(1)
    batched, after = run(model, frames, AttentionState.join(continued))
    for index, (state, part) in enumerate(zip(continued, after.split(), strict=True)):
        alone, expected = run(model, frames[index : index + 1], state)
        torch.testing.assert_close(batched[index : index + 1], alone, **CLOSE)
        for cache, other in zip(part, expected, strict=True):
            torch.testing.assert_close(cache, other, rtol=1e-3, atol=5e-3)
    assert AttentionState.join([None]) is None


def test_inputs_are_not_modified_unless_their_memory_may_be_used(model, clip, states):
    state = states[0][9]
    before = [part.clone() for part in state]
    _, after = run(model, clip[:, 10:12], state)
    assert all(map(torch.equal, state, before))
    entries = [cache[..., 3, :].clone() for cache in state[:-1]]
    with torch.inference_mode():
        reused = state.after(entries, reuse=True)
    assert [part.data_ptr() for part in reused[:-1]] == [part.data_ptr() for part in state[:-1]]
    assert not {part.data_ptr() for part in after[:-1]} & {part.data_ptr() for part in state[:-1]}


def test_the_cache_does_not_grow(states):
    sizes = {state.memory_bytes() for state in states[0]}
    assert len(sizes) == 1


def test_the_state_has_an_effect(model, clip, states):
    alone, _ = run(model, clip[:, 5:6])
    assert (states[1][:, 5:6] - alone).abs().max() > 1e-3


def test_before_training_every_frame_is_alone(clip):
    model = create_model(MODEL)
    estimates, _ = run(model, clip)
    alone = torch.cat([run(model, frame)[0] for frame in clip.split(1, dim=1)], dim=1)
    torch.testing.assert_close(estimates, alone, **CLOSE)


def test_every_parameter_gets_a_gradient(clip):
    for estimate in (
        lambda model: model(clip[:, :3])[0],
        lambda model: window(model, clip[:, :3]),
    ):
        model = golden_model(MODEL).train()
        estimate(model)[:, -1].mean().backward()
        assert all(weight.grad is not None for weight in model.parameters())
        zero = [name for name, weight in model.named_parameters() if not weight.grad.abs().max()]
        assert not zero


def test_bf16_stays_close_and_returns_float32(model, clip, states):
    with torch.autocast('cpu', torch.bfloat16):
        rounded, state = run(model, clip)
    assert rounded.dtype == torch.float32
    assert {part.dtype for part in state[:-1]} == {torch.bfloat16}
    assert ((rounded - states[1]).abs() / states[1]).mean() < 0.02


def test_state_of_another_precision_is_converted_and_left_as_it_was(model, clip, states):
    rounded = AttentionState(
        *(part.bfloat16() if part.is_floating_point() else part for part in states[0][4])
    )
    before = [part.clone() for part in rounded]
    estimate, after = run(model, clip[:, 5:7], rounded)
    assert all(torch.equal(part, other) for part, other in zip(rounded, before, strict=True))
    assert {part.dtype for part in after[:-1]} == {torch.float32}
    expected = states[1][:, 5:7]
    assert ((estimate - expected).abs() / expected).mean() < 0.02


def test_states_of_several_sizes_are_not_joined():
    model = create_model(MODEL)
    states = [model.check_inputs(torch.zeros(1, 1, 3, *size), None) for size in (SIZE, SIZE[::-1])]
    with pytest.raises(InputError, match='several sizes'):
        AttentionState.join(states)


@pytest.mark.parametrize(
    'state',
    [
        StreamState(torch.zeros(1, 4, 8, 16, 128)),
        create_model(MODEL).check_inputs(torch.zeros(2, 1, 3, *SIZE), None),
        create_model(MODEL).check_inputs(torch.zeros(1, 1, 3, *SIZE[::-1]), None),
    ],
    ids=['of FlashDepth', 'of two streams', 'of another size'],
)
def test_other_states_are_refused(model, clip, state):
    with pytest.raises(InputError, match='same model returned'):
        model(clip[:, :1], state)


@pytest.mark.parametrize(
    'name', ['depth-anything-v2-metric-indoor-s', 'metric-video-depth-anything-s']
)
def test_metric_networks_put_out_depth(name):
    metric = golden_model(name)
    relative = create_model(name.replace('-metric-indoor', '').replace('metric-', ''))
    load_weights(relative, metric.state_dict())
    frames = golden_clip(1, 28, 28)
    raw = run(relative, frames)[0]
    inverse_depth = run(metric, frames)[0]
    if name.startswith('depth'):
        raw = raw * relative.config.output.per_inverse_metre
        expected = 1 / (20.0 * raw.sigmoid())
    else:
        expected = 1 / raw
    assert metric.config.metric
    assert not relative.config.metric
    torch.testing.assert_close(inverse_depth, expected)


@pytest.mark.parametrize('state', ['x', {'seen': 1}, (torch.zeros(1),)])
def test_states_of_another_type_are_refused(model, clip, state):
    with pytest.raises(InputError, match='AttentionState expected'):
        model(clip[:, :1], state)
