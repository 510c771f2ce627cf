import copy

import numpy as np
import pytest
import torch

from flashdepth_ros.errors import ConfigError, InputError
from flashdepth_ros.network import PRESETS, StreamState, create_model
from flashdepth_ros.network.flashdepth import context_size
from support.golden_models import golden_clip, golden_model

HYBRID = 'flashdepth-tiny'
SIZE = (210, 280)


@pytest.fixture(scope='module', params=[HYBRID, 'flashdepth-lite', 'flashdepth-s'])
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
def test_output_frames_equal_the_same_frames_of_all(model, temporal):
    if not temporal:
        model = copy.deepcopy(model)
        model.temporal = None
    clip = golden_clip(4, *SIZE)
    frames = torch.cat((clip, clip.flip(1)))
    everything, last = run(model, frames)
    output_frames = torch.tensor([[1, 3], [0, 2]])
    with torch.inference_mode():
        inverse_depth, state = model(frames, output_frames=output_frames)
    expected = torch.stack([everything[i, output_frames[i]] for i in range(2)])
    torch.testing.assert_close(inverse_depth, expected, rtol=1e-5, atol=1e-6)
    if temporal:
        torch.testing.assert_close(state.ssm, last.ssm)


def test_extracted_features_can_be_aligned_later(model):
    clip = golden_clip(4, *SIZE)
    frames, output_frames = torch.cat((clip, clip.flip(1))), torch.tensor([[1, 3], [0, 2]])
    with torch.inference_mode():
        inverse_depth, state = model(frames, output_frames=output_frames)
        later, last = model(model.extract_features(frames, output_frames))
    assert torch.equal(later, inverse_depth)
    assert torch.equal(last.ssm, state.ssm)


def test_the_state_has_an_effect(model):
    frames = golden_clip(2, *SIZE)
    sequence, _ = run(model, frames)
    alone, _ = run(model, frames[:, 1:])
    assert (sequence[:, 1:] - alone).abs().max() > 1e-4


def test_a_restored_state_continues_the_sequence(model, tmp_path):
    frames = golden_clip(3, *SIZE)
    _, state = run(model, frames[:, :2])
    expected, _ = run(model, frames[:, 2:], state)
    torch.save(state._asdict(), tmp_path / 'state.pt')
    restored = StreamState(**torch.load(tmp_path / 'state.pt', weights_only=True))
    torch.testing.assert_close(run(model, frames[:, 2:], restored)[0], expected, rtol=0, atol=0)


def test_batched_streams_equal_separate_streams(model):
    frames = golden_clip(3, *SIZE)
    _, state = run(model, frames[:, :1])
    continued, starting = frames[:, 1:2], frames[:, 2:]
    separate = [run(model, continued, state), run(model, starting)]
    batched, states = run(model, torch.cat((continued, starting)), StreamState.join([state, None]))
    torch.testing.assert_close(
        batched, torch.cat([inverse_depth for inverse_depth, _ in separate]), rtol=1e-5, atol=1e-6
    )
    for joint, (_, alone) in zip(states.split(), separate, strict=True):
        torch.testing.assert_close(joint.ssm, alone.ssm, rtol=1e-4, atol=1e-5)


def test_streams_that_all_start_need_no_state():
    assert StreamState.join([None, None]) is None


def test_inputs_are_not_modified(model):
    frames = golden_clip(2, *SIZE)
    _, state = run(model, frames[:, :1])
    before = state.ssm.clone(), frames.clone()
    run(model, frames[:, 1:], state)
    assert torch.equal(state.ssm, before[0])
    assert torch.equal(frames, before[1])


def test_a_state_fits_another_image_size(model):
    _, state = run(model, golden_clip(1, *SIZE))
    inverse_depth, after = run(model, golden_clip(1, 98, 140), state)
    assert inverse_depth.shape == (1, 1, 98, 140)
    assert after.ssm.shape == state.ssm.shape


def test_an_untrained_hybrid_equals_its_student():
    hybrid, student = create_model(HYBRID), create_model(HYBRID + '-s')
    entries = hybrid.state_dict()
    student.load_state_dict({name: entries[name] for name in student.state_dict()})
    frames = golden_clip(2, *SIZE)
    torch.testing.assert_close(run(hybrid, frames)[0], run(student, frames)[0], rtol=0, atol=1e-7)


def test_the_context_branch_has_an_effect():
    hybrid, frames = golden_model(HYBRID), golden_clip(1, *SIZE)
    without = copy.deepcopy(hybrid)
    without.fusion = None
    assert (run(hybrid, frames)[0] - run(without, frames)[0]).abs().max() > 1e-4


@pytest.mark.parametrize(('grid', 'context_grid'), [((64, 84), (20, 26)), ((16, 20), (16, 20))])
def test_an_untrained_token_attends_to_the_context_near_it(grid, context_grid):
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
        change = (fusion(path, changed) - fusion(path, context)).abs().amax(dim=(0, 1))
    rows, columns = torch.meshgrid(*(torch.linspace(0, 1, cells) for cells in grid), indexing='ij')
    position = row / (context_grid[0] - 1), column / (context_grid[1] - 1)
    distance = (rows - position[0]).hypot(columns - position[1])
    assert distance.flatten()[change.argmax()] < 0.05
    assert change[distance > 0.25].max() < 0.01 * change.max()


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_channels_are_last_in_memory_after_the_alignment(model, layout):
    """Else a GPU transposes the maps of the two finest levels."""
    with torch.inference_mode():
        features = model.extract_features(golden_clip(1, 112, 140))
        path = features.path.contiguous(memory_format=layout)
        tokens = model.temporal(features.tokens, model.temporal.initial_state(1, path.device))[0]
        path = model.temporal.add_to(path, tokens.flatten(0, 1))
        assert path.is_contiguous(memory_format=torch.channels_last)
        for level in model._levels_after:
            path = model.decoder.merge(level, path, features.pyramid[level - 1], features.grid)
            assert path.is_contiguous(memory_format=torch.channels_last)


def test_every_parameter_gets_a_gradient():
    model = golden_model(HYBRID).train()
    inverse_depth, state = model(golden_clip(3, *SIZE))
    (inverse_depth[:, -1].mean() + state.ssm.square().mean()).backward()
    without = [name for name, weight in model.named_parameters() if weight.grad is None]
    zero = [
        name
        for name, weight in model.named_parameters()
        if name not in without and not weight.grad.abs().max() > 0
    ]
    assert not without
    assert not zero


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
    ('frames', 'message'),
    [
        (torch.zeros(1, 1, 3, 100, 112), 'multiples of 14'),
        (torch.zeros(1, 3, 98, 112), r'\(B, T, 3, H, W\) expected'),
        (torch.zeros(1, 1, 4, 98, 112), r'\(B, T, 3, H, W\) expected'),
        (torch.zeros(1, 0, 3, 98, 112), 'no pixels'),
        (np.zeros((1, 1, 3, 98, 112), np.float32), 'of type ndarray given'),
        (torch.zeros(1, 1, 3, 98, 112, dtype=torch.uint8), 'torch.float32 expected'),
        (torch.zeros(1, 1, 3, 98, 112, dtype=torch.float16), 'torch.float32 expected'),
    ],
)
@pytest.mark.parametrize('name', ['flashdepth-tiny-s', 'video-depth-anything-tiny'])
def test_frames_of_a_wrong_shape_or_type_are_refused(name, frames, message):
    with pytest.raises(InputError, match=message):
        create_model(name)(frames)


def test_integers_are_refused_under_autocast_too(model):
    frames = torch.zeros(1, 1, 3, 98, 112, dtype=torch.uint8)
    with torch.autocast('cpu', torch.bfloat16), pytest.raises(InputError, match='normalise'):
        model(frames)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_lower_precision_needs_autocast(dtype):
    model = create_model('flashdepth-tiny-s').to(dtype)
    for frames in (torch.zeros(1, 1, 3, 98, 112), torch.zeros(1, 1, 3, 98, 112, dtype=dtype)):
        with pytest.raises(InputError, match=r'need torch\.autocast'):
            model(frames)


def test_state_of_another_precision_is_converted(model):
    first, second = golden_clip(2, 98, 112).split(1, dim=1)
    state = run(model, first)[1]
    halved = StreamState(state.ssm.half())
    estimates, after = run(model, second, halved)
    assert after.ssm.dtype == torch.float32
    torch.testing.assert_close(estimates, run(model, second, state)[0], rtol=1e-2, atol=1e-3)


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


def test_an_unknown_preset_is_refused_and_the_presets_listed():
    with pytest.raises(ConfigError, match='flashdepth-tiny'):
        create_model('flashdepth-xl')


def test_context_size_follows_the_short_side():
    assert context_size(1148, 2044, 490) == (490, 868)
    assert context_size(2044, 1148, 490) == (868, 490)
    assert context_size(490, 868, 490) == (490, 868)
    assert context_size(364, 644, 490) == (364, 644)


def test_the_model_exports_as_one_graph_with_its_state():
    model = golden_model(HYBRID)
    frames = golden_clip(2, *SIZE)
    _, state = run(model, frames[:, :1])
    inputs = frames[:, 1:], StreamState(state.ssm.clone())
    with torch.no_grad():
        program = torch.export.export(model, inputs)
    (expected, after), (exported, exported_after) = run(model, *inputs), program.module()(*inputs)
    torch.testing.assert_close(exported, expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(exported_after.ssm, after.ssm, rtol=1e-4, atol=1e-5)
