"""Training of Video Depth Anything from a per-frame network, on windows, with a frozen encoder."""

from dataclasses import replace

import pytest
from safetensors.torch import save_file
import torch
import yaml

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network import create_model, load_weights
from flashdepth_ros.runtime.distributed import World
from flashdepth_ros.training.config import read_config
from flashdepth_ros.training.losses import LossConfig, training_loss
from flashdepth_ros.training.run import samples, train
from flashdepth_ros.training.trainer import Trainer
from support.golden_models import golden_model
from support.paths import ROOT
from support.training_scenes import one_thread, tiny_run, write_scene

ALONE = World(0, 1, torch.device('cpu'))
MODEL = 'video-depth-anything-tiny'


@pytest.fixture(autouse=True)
def threads():
    with one_thread():
        yield


@pytest.fixture
def config(tmp_path):
    """The published recipe's losses and rates, on small clips."""
    published = read_config(ROOT / 'config/train/video-depth-anything-s.yaml')
    (tmp_path / 'clips').mkdir()
    for seed in range(2):
        write_scene(tmp_path / 'clips' / f'{seed}.clip.zip', seed)
    student = tmp_path / 'student.safetensors'
    save_file(golden_model('flashdepth-tiny-s').state_dict(), student)
    phase = {'steps': 40, 'height': 42, 'width': 56, 'frames': 4, 'batch': 2, 'strides': [1]}
    rates = {'encoder': 0.0, 'decoder': 2e-4, 'temporal': 2e-3}
    optimiser = {'warmup_steps': 2, 'rates': rates}
    changes = {'model': MODEL, 'phases': [phase], 'optimiser': optimiser, 'save_every': 1000}
    run = tiny_run(tmp_path, initial={'student': str(student)}, **changes)
    return replace(run, loss=published.loss)


def test_training_lowers_the_loss_and_leaves_the_encoder(config, tmp_path):
    trainer = Trainer(config, ALONE)
    assert config.loss.aligned_temporal_gradient == 1.0
    assert config.loss.scale_shift_invariant == 10.0
    encoder = {n: p.clone() for n, p in trainer.model.named_parameters() if 'encoder.' in n}
    student = golden_model('flashdepth-tiny-s').state_dict()
    assert all(torch.equal(entry, student[name]) for name, entry in encoder.items())
    losses = [trainer.train_step(sample)['loss'].item() for sample in samples(config, ALONE, 0)]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    after = dict(trainer.model.named_parameters())
    assert all(torch.equal(entry, after[name]) for name, entry in encoder.items())
    moved = [
        name for name, entry in after.items() if 'temporal.' in name and entry.abs().max() > 0
    ]
    assert any('output.weight' in name for name in moved)


def test_a_run_writes_weights_that_load(config, tmp_path):
    short = replace(config, phases=(replace(config.phases[0], steps=2),))
    assert train(short, ALONE)
    load_weights(create_model(MODEL), tmp_path / 'run' / 'weights.safetensors')


def test_losses_have_no_unit():
    generator = torch.Generator().manual_seed(0)
    prediction, target = (torch.rand(2, 3, 8, 9, generator=generator) for _ in range(2))
    target[0, 0, 0] = torch.nan
    weights = LossConfig(log_l1=0.0, aligned_temporal_gradient=1.0, scale_shift_invariant=10.0)
    loss = training_loss(prediction, target, weights)['loss']
    other = training_loss(7.0 * prediction + 3.0, 0.2 * target + 1.0, weights)['loss']
    torch.testing.assert_close(other, loss, rtol=1e-4, atol=1e-5)
    assert training_loss(2.0 * target.nan_to_num(0.5), target, weights)['loss'] < 1e-5


def test_features_cannot_be_cached(tmp_path):
    content = {
        'model': MODEL,
        'output': 'run',
        'sources': [{'root': 'clips'}],
        'phases': [{'steps': 1, 'height': 28, 'width': 28, 'frames': 2, 'cached_samples': 4}],
    }
    (tmp_path / 'run.yaml').write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match='recurrent temporal module'):
        read_config(tmp_path / 'run.yaml')
