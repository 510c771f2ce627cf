"""The mean of the weights of several runs, at the end of a recipe."""

from pathlib import Path

import pytest
import torch
import yaml

from flashdepth_ros.errors import CheckpointError, ConfigError
from flashdepth_ros.network.checkpoint import metadata, read_weights, save_weights
from flashdepth_ros.training.mean import MeanConfig, check_files, write_mean
from flashdepth_ros.training.recipe import read_recipe


def write(path, **entries):
    notes = {'preset': 'flashdepth-tiny-s', 'origin': path.stem}
    save_weights({k: torch.tensor(v) for k, v in entries.items()}, path, torch.float16, notes)
    return str(path)


def test_every_entry_is_the_mean_of_all_files(tmp_path):
    of = (
        write(tmp_path / 'a.safetensors', x=[1.0, 2.0], y=[0.0]),
        write(tmp_path / 'b.safetensors', x=[3.0, -2.0], y=[0.5]),
    )
    output = tmp_path / 'mean.safetensors'
    write_mean(MeanConfig(of, str(output)))
    mean = read_weights(output)
    assert {name: entry.tolist() for name, entry in mean.items()} == {'x': [2.0, 0.0], 'y': [0.25]}
    notes = metadata(output)
    assert notes['preset'] == 'flashdepth-tiny-s'
    assert notes['origin'] == 'b; mean of the weights of 2 runs'


@pytest.mark.parametrize('other', [{'x': [1.0]}, {'x': [1.0, 2.0], 'z': [0.0]}, {'y': [1.0, 2.0]}])
def test_weights_of_different_models_are_refused(tmp_path, other):
    of = (
        write(tmp_path / 'a.safetensors', x=[1.0, 2.0]),
        write(tmp_path / 'b.safetensors', **other),
    )
    with pytest.raises(CheckpointError, match=r'b\.safetensors: not of the same model'):
        write_mean(MeanConfig(of, str(tmp_path / 'mean.safetensors')))


def test_a_missing_file_is_named_before_training():
    with pytest.raises(ConfigError, match=r'mean: of: none\.safetensors: no such file'):
        check_files(MeanConfig((STAGE, 'none.safetensors'), 'mean.safetensors'), [Path(STAGE)])


def test_weights_of_different_presets_are_refused(tmp_path):
    of = tuple(str(tmp_path / f'{name}.safetensors') for name in 'ab')
    for path, preset in zip(of, ('flashdepth-s', 'flashdepth-tiny-s'), strict=True):
        entries = {'x': torch.tensor([1.0])}
        save_weights(entries, tmp_path / path, torch.float16, {'preset': preset})
    with pytest.raises(CheckpointError, match=r'b\.safetensors: not of the same model'):
        write_mean(MeanConfig(of, str(tmp_path / 'mean.safetensors')))


STAGE = 'o/weights.safetensors'


@pytest.mark.parametrize(
    ('mean', 'message'),
    [
        ({'of': [STAGE]}, 'mean: of and output expected, both or none'),
        ({'output': 'mean.safetensors'}, 'mean: of and output expected, both or none'),
        ({'of': ['a.pth'], 'output': 'm.safetensors'}, r'mean: a\.pth: a name that ends'),
        ({'of': [STAGE], 'output': 'm.bin'}, r'mean: m\.bin: a name that ends'),
        ({'of': [STAGE], 'output': '/'}, 'mean: /: a name that ends'),
        ({'of': [STAGE], 'output': f'./{STAGE}'}, 'would be overwritten'),
    ],
)
def test_a_mean_that_cannot_be_written_is_refused_before_training(tmp_path, mean, message):
    phase = {'steps': 1, 'height': 28, 'width': 42}
    stage = {'model': 'flashdepth-tiny-s', 'output': 'o', 'sources': [{'root': 'r'}]}
    path = tmp_path / 'recipe.yaml'
    path.write_text(yaml.safe_dump({'stages': [stage | {'phases': [phase]}], 'mean': mean}))
    with pytest.raises(ConfigError, match=message):
        read_recipe(path)
