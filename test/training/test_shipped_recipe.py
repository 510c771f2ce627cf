"""The recipe of the default model, rehearsed: every stage with a few small clips and one step."""

from pathlib import Path

import pytest
import torch
import yaml

from flashdepth_ros.network.checkpoint import metadata, read_weights
from flashdepth_ros.runtime.distributed import World
from flashdepth_ros.training.pretrained import ORIGIN
from flashdepth_ros.training.recipe import follow, read_recipe
from support.paths import ROOT

WORLD = World(0, 1, torch.device('cpu'))
RECIPE = ROOT / 'config' / 'train' / 'lite.yaml'
SIZE = {'height': 56, 'width': 84}
FRAMES = 3
FILM = f'--seeds 0:2 --frames {FRAMES} --size 84x56 --sampling 1'


def shrunken(phase):
    """Return a phase of one step with small frames."""
    less = {'loss_frames': 2, 'cached_samples': 2}
    kept = {key: value for key, value in less.items() if key in phase}
    return phase | SIZE | {'steps': 1, 'frames': FRAMES, 'batch': 2} | kept


def rehearsal(folder):
    """Write the recipe with the same stages, little to do in each, and the same clips for all."""
    content = yaml.safe_load(RECIPE.read_text().replace('runs/lite', str(folder)))
    clips = [{'root': str(folder / 'clips')}]
    content['film'] = [f'{folder / "clips"} {FILM}']
    content['processes'] = 1
    for stage in content['stages']:
        stage['phases'] = [shrunken(phase) for phase in stage['phases']]
        stage['validation'] = {'sources': clips, 'every': 1, 'videos': 1, 'frames': FRAMES}
        stage |= {'sources': clips, 'workers': 0}
    path = folder / 'rehearsal.yaml'
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.usefixtures('gl')
def test_one_command_goes_from_clips_to_weights_of_all_parts(tmp_path):
    recipe = read_recipe(rehearsal(tmp_path))
    assert follow(recipe, WORLD) is None
    path = Path(recipe.stages[-1].output) / 'weights.safetensors'
    parts = {name.split('.')[0] for name in read_weights(path)}
    assert {'encoder', 'decoder', 'temporal', 'fusion', 'context'} <= parts
    assert metadata(path)['origin'].startswith(ORIGIN)


def test_every_stage_has_clips_that_are_rendered_and_weights_that_are_trained_before():
    recipe = read_recipe(RECIPE)
    rendered, trained = {line.split()[0] for line in recipe.film}, {''}
    for stage in recipe.stages:
        sources = (*stage.sources, *stage.validation.sources)
        roots = {source.root for source in sources if source.kind == 'clips'}
        assert roots <= rendered
        assert {stage.initial.student, stage.initial.context} <= trained
        trained.add(f'{stage.output}/weights.safetensors')
