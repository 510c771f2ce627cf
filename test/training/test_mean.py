"""The mean of the weights of several runs, at the end of a recipe."""

import pytest
import torch
import yaml

from flashdepth_ros.errors import CheckpointError, ConfigError
from flashdepth_ros.network.checkpoint import metadata, read_weights, save_weights
from flashdepth_ros.training.mean import MeanConfig, write_mean
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


@pytest.mark.parametrize('mean', [{'of': ['a.safetensors']}, {'output': 'mean.safetensors'}])
def test_a_recipe_gives_files_and_output_of_its_mean(tmp_path, mean):
    phase = {'steps': 1, 'height': 28, 'width': 42}
    stage = {'model': 'flashdepth-tiny-s', 'output': 'o', 'sources': [{'root': 'r'}]}
    path = tmp_path / 'recipe.yaml'
    path.write_text(yaml.safe_dump({'stages': [stage | {'phases': [phase]}], 'mean': mean}))
    with pytest.raises(ConfigError, match='mean: of and output expected, both or none'):
        read_recipe(path)
