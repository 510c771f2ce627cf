import copy

import pytest
import torch

from flashdepth_ros.errors import ConfigError, InputError
from flashdepth_ros.network import PRESETS, StreamState, create_model
from flashdepth_ros.network.flashdepth import context_size
from support.golden_models import golden_clip, golden_model

HYBRID = 'flashdepth-tiny'
SIZE = (210, 280)


@pytest.fixture(scope='module', params=[HYBRID, 'flashdepth-s'])
def model(request):
    return golden_model(request.param)


def run(model, frames, state=None):
    with torch.inference_mode():
        return model(frames, state)


def test_frames_at_once_equal_frames_one_by_one(model):
    frames = golden_clip(4, *SIZE)
    at_once, last = run(model, frames)
    state, one_by_one = None, []
    for index in range(4):
        inverse_depth, state = run(model, frames[:, index : index + 1], state)
        one_by_one.append(inverse_depth)
    torch.testing.assert_close(torch.cat(one_by_one, dim=1), at_once, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(state.ssm, last.ssm, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('temporal', [True, False])
def test_wanted_frames_are_those_among_all(model, temporal):
    if not temporal:
        model = copy.deepcopy(model)
        model.temporal = None
    clip = golden_clip(4, *SIZE)
    frames = torch.cat((clip, clip.flip(1)))
    everything, last = run(model, frames)
    wanted = torch.tensor([[1, 3], [0, 2]])
    with torch.inference_mode():
        inverse_depth, state = model(frames, wanted=wanted)
    expected = torch.stack([everything[i, wanted[i]] for i in range(2)])
    torch.testing.assert_close(inverse_depth, expected, rtol=1e-5, atol=1e-6)
    if temporal:
        torch.testing.assert_close(state.ssm, last.ssm)


def test_what_is_seen_may_be_aligned_later(model):
    clip = golden_clip(4, *SIZE)
    frames, wanted = torch.cat((clip, clip.flip(1))), torch.tensor([[1, 3], [0, 2]])
    with torch.inference_mode():
        inverse_depth, state = model(frames, wanted=wanted)
        later, last = model(model.see(frames, wanted))
    assert torch.equal(later, inverse_depth)
    assert torch.equal(last.ssm, state.ssm)


def test_time_has_an_effect(model):
    frames = golden_clip(2, *SIZE)
    followed, _ = run(model, frames)
    alone, _ = run(model, frames[:, 1:])
    assert (followed[:, 1:] - alone).abs().max() > 1e-4


def test_restored_state_goes_on_as_if_never_stopped(model, tmp_path):
    frames = golden_clip(3, *SIZE)
    _, state = run(model, frames[:, :2])
    going_on, _ = run(model, frames[:, 2:], state)
    torch.save(state._asdict(), tmp_path / 'state.pt')
    restored = StreamState(**torch.load(tmp_path / 'state.pt', weights_only=True))
    torch.testing.assert_close(run(model, frames[:, 2:], restored)[0], going_on, rtol=0, atol=0)


def test_batched_streams_equal_streams_apart(model):
    frames = golden_clip(3, *SIZE)
    _, state = run(model, frames[:, :1])
    going_on, starting = frames[:, 1:2], frames[:, 2:]
    apart = [run(model, going_on, state), run(model, starting)]
    together, states = run(model, torch.cat((going_on, starting)), StreamState.join([state, None]))
    torch.testing.assert_close(
        together, torch.cat([inverse_depth for inverse_depth, _ in apart]), rtol=1e-5, atol=1e-6
    )
    for joint, (_, alone) in zip(states.split(), apart, strict=True):
        torch.testing.assert_close(joint.ssm, alone.ssm, rtol=1e-4, atol=1e-5)


def test_streams_that_all_start_need_no_state():
    assert StreamState.join([None, None]) is None


def test_given_state_and_frames_are_untouched(model):
    frames = golden_clip(2, *SIZE)
    _, state = run(model, frames[:, :1])
    kept = state.ssm.clone(), frames.clone()
    run(model, frames[:, 1:], state)
    assert torch.equal(state.ssm, kept[0])
    assert torch.equal(frames, kept[1])


def test_state_serves_another_image_size(model):
    _, state = run(model, golden_clip(1, *SIZE))
    inverse_depth, after = run(model, golden_clip(1, 98, 140), state)
    assert inverse_depth.shape == (1, 1, 98, 140)
    assert after.ssm.shape == state.ssm.shape


def test_fresh_hybrid_equals_its_student():
    hybrid, student = create_model(HYBRID), create_model(HYBRID + '-s')
    entries = hybrid.state_dict()
    student.load_state_dict({name: entries[name] for name in student.state_dict()})
    frames = golden_clip(2, *SIZE)
    torch.testing.assert_close(run(hybrid, frames)[0], run(student, frames)[0], rtol=0, atol=1e-7)


def test_golden_hybrid_hears_its_context():
    hybrid, frames = golden_model(HYBRID), golden_clip(1, *SIZE)
    deaf = copy.deepcopy(hybrid)
    deaf.fusion = None
    assert (run(hybrid, frames)[0] - run(deaf, frames)[0]).abs().max() > 1e-4


@pytest.mark.parametrize(('grid', 'context_grid'), [((64, 84), (20, 26)), ((16, 20), (16, 20))])
def test_a_token_begins_by_hearing_the_context_near_it(grid, context_grid):
    fusion = create_model(HYBRID).fusion
    for block in fusion.blocks:
        torch.nn.init.eye_(block.attention.output.weight)
    generator = torch.Generator().manual_seed(0)
    path, context = (
        torch.randn(1, 32, *size, generator=generator) for size in (grid, context_grid)
    )
    changed = context.clone()
    row, column = context_grid[0] // 4, 3 * context_grid[1] // 4
    changed[..., row, column] += 5.0
    with torch.inference_mode():
        heard = (fusion(path, changed) - fusion(path, context)).abs().amax(dim=(0, 1))
    rows, columns = torch.meshgrid(*(torch.linspace(0, 1, cells) for cells in grid), indexing='ij')
    place = row / (context_grid[0] - 1), column / (context_grid[1] - 1)
    distance = (rows - place[0]).hypot(columns - place[1])
    assert distance.flatten()[heard.argmax()] < 0.05
    assert heard[distance > 0.25].max() < 0.01 * heard.max()


def test_every_part_learns_from_a_clip():
    model = golden_model(HYBRID).train()
    inverse_depth, state = model(golden_clip(3, *SIZE))
    (inverse_depth[:, -1].mean() + state.ssm.square().mean()).backward()
    without = [name for name, weight in model.named_parameters() if weight.grad is None]
    still = [
        name
        for name, weight in model.named_parameters()
        if name not in without and not weight.grad.abs().max() > 0
    ]
    assert not without
    assert not still


def test_bf16_stays_close_and_returns_float32(model):
    frames = golden_clip(3, *SIZE)
    exact, _ = run(model, frames)
    with torch.autocast('cpu', torch.bfloat16):
        rounded, state = run(model, frames)
    assert rounded.dtype == state.ssm.dtype == torch.float32
    assert ((rounded - exact).abs() / exact).mean() < 0.01


@pytest.mark.parametrize('name', [name for name in PRESETS if 'tiny' in name or name[-1] == 's'])
def test_presets_run(name):
    inverse_depth, state = run(create_model(name), torch.rand(2, 1, 3, 98, 112))
    assert inverse_depth.shape == (2, 1, 98, 112)
    assert inverse_depth.min() >= 0
    assert (state is None) == name.startswith('depth-anything')


@pytest.mark.parametrize(
    ('frames', 'complaint'),
    [
        (torch.zeros(1, 1, 3, 100, 112), 'multiples of 14'),
        (torch.zeros(1, 3, 98, 112), r'\(B, T, 3, H, W\) expected'),
        (torch.zeros(1, 1, 4, 98, 112), r'\(B, T, 3, H, W\) expected'),
        (torch.zeros(1, 0, 3, 98, 112), 'nothing empty'),
    ],
)
def test_unfit_frames_are_refused(frames, complaint):
    with pytest.raises(InputError, match=complaint):
        create_model('flashdepth-tiny-s')(frames)


def test_state_of_another_preset_or_batch_is_refused(model):
    frames = golden_clip(1, 98, 112)
    for state in (
        StreamState(torch.zeros(1, 4, 8, 7, 9)),
        StreamState(torch.zeros(2, 4, 8, 32, 256)),
    ):
        with pytest.raises(InputError, match='same model returned'):
            model(frames, state)
    with pytest.raises(InputError, match='keeps no state'):
        create_model('depth-anything-v2-s')(frames, state)


def test_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match='flashdepth-tiny'):
        create_model('flashdepth-xl')


def test_context_size_follows_the_short_side():
    assert context_size(1148, 2044, 490) == (490, 868)
    assert context_size(2044, 1148, 490) == (868, 490)
    assert context_size(490, 868, 490) == (490, 868)
    assert context_size(364, 644, 490) == (364, 644)


def test_whole_model_exports_as_one_graph_with_its_state():
    model = golden_model(HYBRID)
    frames = golden_clip(2, *SIZE)
    _, state = run(model, frames[:, :1])
    given = frames[:, 1:], StreamState(state.ssm.clone())
    with torch.no_grad():
        program = torch.export.export(model, given)
    (ours, after), (exported, exported_after) = run(model, *given), program.module()(*given)
    torch.testing.assert_close(exported, ours, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(exported_after.ssm, after.ssm, rtol=1e-4, atol=1e-5)
