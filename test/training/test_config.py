"""Configurations: the shipped files, and what is refused."""

import re

import pytest

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.training.config import OptimiserConfig, read_config
from flashdepth_ros.training.optimisation import rate_factor
from flashdepth_ros.training.recipe import read_recipe
from support.paths import ROOT

SHIPPED = sorted((ROOT / 'config' / 'train').glob('*.yaml'))
MINIMAL = """
model: flashdepth-tiny-s
output: runs/test
sources: [{root: clips}]
phases: [{steps: 5, height: 28, width: 42}]
"""


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.stem)
def test_shipped_configurations_can_be_read(path):
    assert all(stage.steps > 0 for stage in read_recipe(path).stages)


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.stem)
def test_shipped_configurations_are_documented(path):
    document = (ROOT / 'doc' / 'training.md').read_text()
    assert re.search(rf'\b{re.escape(path.name)}', document)


def test_keys_not_given_have_their_defaults(tmp_path):
    (tmp_path / 'run.yaml').write_text(MINIMAL + 'optimiser: {rates: {encoder: 1}}')
    config = read_config(tmp_path / 'run.yaml')
    assert config.optimiser.rates.encoder == 1.0
    assert config.optimiser.rates.decoder == OptimiserConfig().rates.decoder
    assert config.phases[0].strides == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ('added', 'message'),
    [
        ('epochs: 3', "unknown 'epochs'; one of model"),
        ('loss: {l2: 1.0}', "loss: unknown 'l2'; one of l1"),
        ('seed: yes', 'seed: True given, int expected'),
        ('optimiser: {rates: 3}', 'rates: 3 given, a mapping expected'),
        ('validation: {sources: here}', "sources: 'here' given, a list expected"),
        ('validation: {sources: [{kind: clips}]}', 'incomplete'),
        ('precision: int8', 'float32 or bfloat16'),
        ('phases: [{steps: 0, height: 28, width: 42}]', '1 or more'),
        ('phases: [{steps: 1, height: 28, width: 42, batch: 0}]', '1 or more'),
        ('phases: [{steps: 1, height: 28, width: 42, strides: [0]}]', '1 or more'),
        ('phases: []', 'at least one phase'),
        ('phases: [{steps: 5, height: 30, width: 42}]', 'multiples of 14'),
        ('phases: [{steps: 5, height: 28, width: 42, loss_frames: 3}]', 'must be even'),
        (
            'phases: [{steps: 5, height: 28, width: 42, frames: 4, loss_frames: 6}]',
            'at most frames',
        ),
        ('model: flashdepth-huge', "model 'flashdepth-huge' is not known"),
        (': [', 'not a readable YAML file'),
    ],
)
def test_invalid_configurations_are_refused(tmp_path, added, message):
    (tmp_path / 'run.yaml').write_text(MINIMAL + added)
    with pytest.raises(ConfigError, match=message):
        read_config(tmp_path / 'run.yaml')


def test_learning_rates_rise_then_fall():
    config = OptimiserConfig(warmup_steps=10, final_rate=0.1)
    factors = [rate_factor(step, (step - 10) / 90, config) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == factors[10] == pytest.approx(1.0)
    assert factors[55] == pytest.approx(0.55)
    assert factors[100] == pytest.approx(0.1)
    assert factors[10:] == sorted(factors[10:], reverse=True)
