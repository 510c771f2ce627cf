"""Initial models of training runs."""

from dataclasses import replace

import pytest
import torch

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network import create_model, load_weights
from flashdepth_ros.network.checkpoint import save_weights
from flashdepth_ros.training.config import InitialConfig
from flashdepth_ros.training.initial import MEMORY_TOKENS, initial_model
from support.training_scenes import tiny_run


def test_a_model_from_scratch_predicts_the_typical_depth_and_depends_on_the_seed(tmp_path):
    config = tiny_run(tmp_path, initial={'typical_depth_m': 2.0})
    model = initial_model(config)
    torch.manual_seed(0)
    inverse_depth = model(torch.randn(1, 1, 3, 56, 56))[0]
    assert inverse_depth.median().item() == pytest.approx(0.5, rel=0.5)
    # Untrained, it varies over the image by about as much as depth does.
    assert 0.05 < inverse_depth.std().item() < 0.5
    same, other = (initial_model(replace(config, seed=seed)) for seed in (0, 1))
    entries, name = model.state_dict(), 'encoder.patch_embedding.weight'
    assert torch.equal(same.state_dict()[name], entries[name])
    assert not torch.equal(other.state_dict()[name], entries[name])


def test_initial_time_constants_range_from_a_few_tokens_to_a_hundred_frames(tmp_path):
    trained = create_model('flashdepth-tiny-s')
    save_weights(trained.state_dict(), tmp_path / 'a.safetensors', torch.float32, {})
    initial = {'student': str(tmp_path / 'a.safetensors'), 'reset_memory': True}
    model = initial_model(tiny_run(tmp_path, initial=initial))
    for block, before in zip(model.temporal.blocks, trained.temporal.blocks, strict=True):
        mixer = block.mixer
        torch.testing.assert_close(
            time_constants(mixer), initial_time_constants(mixer), rtol=1e-3, atol=0
        )
        # B and C have a common part that does not depend on the token.
        B, C = (mixer.conv.bias - before.mixer.conv.bias)[mixer.inner :].chunk(2)
        assert mixer.state_shape[-1] // 4 == B @ C
        assert torch.equal(mixer.in_proj.weight, before.mixer.in_proj.weight)


def test_only_time_constants_above_the_limit_change(tmp_path):
    limited = tiny_run(tmp_path, initial={'reset_memory': True, 'max_memory_tokens': 300.0})
    for block in initial_model(limited).temporal.blocks:
        expected = initial_time_constants(block.mixer).clamp(max=300.0)
        torch.testing.assert_close(time_constants(block.mixer), expected, rtol=1e-3, atol=0)


def time_constants(mixer):
    """Return the time constant of each head, tokens."""
    return 1.0 / (torch.nn.functional.softplus(mixer.dt_bias) * mixer.A_log.exp())


def initial_time_constants(mixer):
    return torch.logspace(*torch.tensor(MEMORY_TOKENS).log10(), mixer.heads)


def test_a_hybrid_starts_from_two_branches(tmp_path):
    files = {}
    for branch, name in (('student', 'flashdepth-tiny-s'), ('context', 'flashdepth-tiny-l')):
        files[branch] = tmp_path / f'{branch}.safetensors'
        model = create_model(name)
        torch.nn.init.normal_(model.temporal.output.weight)
        save_weights(model.state_dict(), files[branch], torch.float32, {})
    initial = InitialConfig(student=str(files['student']), context=str(files['context']))
    hybrid = initial_model(tiny_run(tmp_path, model='flashdepth-tiny', initial=vars(initial)))
    student = initial_model(tiny_run(tmp_path, initial={'student': str(files['student'])}))
    frames = torch.randn(1, 2, 3, 56, 84)
    # The fusion starts without effect.
    torch.testing.assert_close(hybrid(frames)[0], student(frames)[0])
    context = create_model('flashdepth-tiny-l')
    load_weights(context, files['context'])
    pyramid, path = context.encoder(frames[0]), None
    for level in range(4, hybrid.config.fusion.level - 1, -1):
        path = context.decoder.merge(level, path, pyramid[level - 1], (4, 6))
    torch.testing.assert_close(hybrid.context(frames[0]), path)


def test_a_hybrid_starts_from_another_hybrid(tmp_path):
    hybrid = create_model('flashdepth-tiny')
    weights = tmp_path / 'a.safetensors'
    save_weights(hybrid.state_dict(), weights, torch.float32, {})
    initial = {'student': str(weights), 'context': str(weights)}
    model = initial_model(tiny_run(tmp_path, model='flashdepth-tiny', initial=initial))
    for name, entry in model.state_dict().items():
        assert torch.equal(entry, hybrid.state_dict()[name]), name


def test_the_fusion_can_be_reset(tmp_path):
    hybrid = create_model('flashdepth-tiny')
    trained = {name: torch.ones_like(entry) for name, entry in hybrid.state_dict().items()}
    save_weights(trained, tmp_path / 'a.safetensors', torch.float32, {})
    initial = dict.fromkeys(('student', 'context'), str(tmp_path / 'a.safetensors'))
    config = tiny_run(tmp_path, model='flashdepth-tiny', initial={**initial, 'reset_fusion': True})
    model = initial_model(config)
    assert not any(block.attention.output.weight.any() for block in model.fusion.blocks)
    for name, entry in model.state_dict().items():
        assert name.startswith('fusion.') or torch.equal(entry, trained[name]), name


def test_a_temporal_module_missing_in_the_weights_has_no_effect(tmp_path):
    whole = create_model('flashdepth-tiny-s')
    without = {n: e for n, e in whole.state_dict().items() if not n.startswith('temporal.')}
    save_weights(without, tmp_path / 'a.safetensors', torch.float32, {})
    model = initial_model(tiny_run(tmp_path, initial={'student': str(tmp_path / 'a.safetensors')}))
    frames = torch.randn(1, 2, 3, 56, 56)
    torch.testing.assert_close(model(frames)[0], whole(frames)[0])


def test_weights_of_another_model_are_refused(tmp_path):
    other = create_model('flashdepth-tiny-l').state_dict()
    save_weights(other, tmp_path / 'a.safetensors', torch.float32, {})
    with pytest.raises(CheckpointError, match='does not fit flashdepth-tiny-s: encoder'):
        initial_model(tiny_run(tmp_path, initial={'student': str(tmp_path / 'a.safetensors')}))


def test_a_model_without_temporal_module_can_be_trained(tmp_path):
    assert initial_model(tiny_run(tmp_path, temporal=False)).temporal is None
