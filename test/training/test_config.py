"""Configurations: the shipped files, and what is refused."""

from collections.abc import Iterator
from dataclasses import asdict
import math
from pathlib import Path
import re

import pytest
import yaml

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.training.config import OptimiserConfig, TrainingConfig, read_config
from flashdepth_ros.training.optimisation import rate_factor
from flashdepth_ros.training.parsing import parse
from flashdepth_ros.training.recipe import read_recipe
from support.paths import ROOT

SHIPPED = sorted((ROOT / 'config' / 'train').glob('*.yaml'))
MINIMAL = """
model: flashdepth-tiny-s
output: runs/test
sources: [{root: clips}]
phases: [{steps: 5, height: 28, width: 42}]
"""
FULL = yaml.safe_dump(
    asdict(
        parse(
            TrainingConfig,
            yaml.safe_load(MINIMAL) | {'validation': {'sources': [{'root': 'clips'}]}},
            'test',
        )
    )
)
"""A configuration with all keys, each with its default."""


def numbers(content: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of keys and indices to every number."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from numbers(value, (*path, key))
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from numbers(value, (*path, index))
    elif isinstance(content, (int, float)) and not isinstance(content, bool):
        yield path


def refusal(path: Path) -> str:
    """Return the error of a configuration."""
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    return str(caught.value)


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
        ('seed: yes', 'seed: True given, a whole number expected'),
        ('seed: 2026-01-01', 'seed: 2026-01-01 given, a whole number expected'),
        ('seed:', 'seed: nothing given'),
        ('seed: [1]', 'seed: a list given'),
        ('optimiser: {rates: 3}', 'rates: 3 given, a mapping expected'),
        ('validation: {sources: here}', "sources: 'here' given, a list expected"),
        ('validation: {sources: [{kind: clips}]}', r'sources\[0\]: incomplete; add root$'),
        ('precision: int8', 'float32 or bfloat16'),
        ('phases: []', 'phases: at least one expected'),
        (
            'phases: [{steps: 5, height: 30, width: 42}]',
            r'phases\[0\]: height 30, width 42; multiples of 14',
        ),
        ('validation: {height: 30}', 'validation: height 30, width 0; multiples of 14'),
        ('phases: [{steps: 5, height: 28, width: 42, strides: []}]', 'strides: at least one'),
        ('phases: [{steps: 5, height: 28, width: 42, loss_frames: 3}]', 'an even number'),
        (
            'phases: [{steps: 5, height: 28, width: 42, frames: 4, loss_frames: 6}]',
            r'at most 4 \(frames\)',
        ),
        (
            'phases: [{steps: 5, height: 28, width: 42, sizes: [[28, 30]]}]',
            r'phases\[0\]: sizes\[0\]: height 28, width 30; multiples of 14',
        ),
        (
            'phases: [{steps: 5, height: 28, width: 42, sizes: [[28]]}]',
            'height and width expected',
        ),
        ('sources: []', 'sources: at least one'),
        ('sources: [{root: a, weight: 0}]', 'with a weight above 0'),
        ('model: flashdepth-huge', "run.yaml: model 'flashdepth-huge' is not known"),
        (': [', r'not a readable YAML file: line \d+: '),
    ],
)
def test_invalid_configurations_are_refused(tmp_path, added, message):
    (tmp_path / 'run.yaml').write_text(MINIMAL + added)
    assert re.search(message, refusal(tmp_path / 'run.yaml'))


@pytest.mark.parametrize('path', list(numbers(yaml.safe_load(FULL))), ids=str)
def test_numbers_out_of_their_range_are_refused_by_name(tmp_path, path):
    """No number of a run may be negative, infinite or NaN."""
    for value in (-1, -0.25, math.nan, math.inf):
        content = yaml.safe_load(FULL)
        place = content
        for key in path[:-1]:
            place = place[key]
        if isinstance(place[path[-1]], float):
            value = float(value)
        elif value != -1:
            continue
        place[path[-1]] = value
        (tmp_path / 'run.yaml').write_text(yaml.safe_dump(content))
        where = ''.join(f'[{key}]' if isinstance(key, int) else f': {key}' for key in path)
        message = refusal(tmp_path / 'run.yaml')
        assert message.startswith(f'{tmp_path}/run.yaml{where}: {value} given, ')


@pytest.mark.parametrize(
    ('added', 'message'),
    [
        ('optimiser: {ema_decay: 1.0}', 'ema_decay: 1.0 given, at least 0 and below 1 expected'),
        ('optimiser: {weight_decay: 2}', 'weight_decay: 2.0 given, at least 0 and at most 1'),
        ('optimiser: {rates: {decoder: 5}}', 'decoder: 5.0 given, at least 0 and at most 1'),
        ('optimiser: {epsilon: 0}', 'epsilon: 0.0 given, above 0 expected'),
        ('augmentation: {zoom: 0.5}', 'zoom: 0.5 given, at least 1'),
        ('save_every: 0', 'save_every: 0 given, at least 1'),
        ('phases: [{steps: 0, height: 28, width: 42}]', 'steps: 0 given, at least 1'),
        ('phases: [{steps: 1, height: 0, width: 42}]', 'height: 0 given, at least 14'),
        (
            'phases: [{steps: 1, height: 28, width: 42, strides: [0]}]',
            r'phases\[0\]: strides\[0\]: 0 given, at least 1',
        ),
    ],
)
def test_the_limits_of_a_range_are_named(tmp_path, added, message):
    (tmp_path / 'run.yaml').write_text(MINIMAL + added)
    assert re.search(message, refusal(tmp_path / 'run.yaml'))


@pytest.mark.parametrize('number', ['7e-4', '1E-6', '7.0e4', '1e3'])
def test_a_number_that_yaml_takes_for_a_text_is_named_with_what_to_write(tmp_path, number):
    for key, kind in (('final_rate', float), ('warmup_steps', int)):
        added = f'optimiser: {{{key}: {number}}}'
        (tmp_path / 'run.yaml').write_text(MINIMAL + added)
        message = refusal(tmp_path / 'run.yaml')
        if kind is int and float(number) < 1:
            assert message.endswith('a whole number expected')
            continue
        assert f"{key}: '{number}' given" in message
        written = re.search('YAML takes .* for a text, write (.*)$', message)[1]
        assert yaml.safe_load(written) == float(number)


def test_messages_are_one_line_without_the_names_of_python(tmp_path):
    for content in ('', '- 1', 'model: flashdepth-tiny-s', ': [', 'a: \t- b\n:c: :'):
        (tmp_path / 'run.yaml').write_text(content)
        message = refusal(tmp_path / 'run.yaml')
        assert message.startswith(f'{tmp_path}/run.yaml: ')
        assert not re.search(r'\n|<class|<unicode|__init__|Config\(|Path\(', message)


def test_learning_rates_rise_then_fall():
    config = OptimiserConfig(warmup_steps=10, final_rate=0.1)
    factors = [rate_factor(step, (step - 10) / 90, config) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == factors[10] == pytest.approx(1.0)
    assert factors[55] == pytest.approx(0.55)
    assert factors[100] == pytest.approx(0.1)
    assert factors[10:] == sorted(factors[10:], reverse=True)
