import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import pytest
import torch
import yaml

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network.checkpoint import metadata, read_weights
from flashdepth_ros.runtime.distributed import World
from flashdepth_ros.training.recipe import follow, read_recipe
from flashdepth_ros.training.run_folder import read_checkpoint

WORLD = World(0, 1, torch.device('cpu'))
CLIPS = 16
FILM = f'--seeds 0:{CLIPS} --frames 2 --size 56x42 --sampling 1'


def write_recipe(folder: Path, film: str = '') -> Path:
    """Write a recipe of two stages; the second one starts from the weights of the first."""
    stage = {
        'model': 'flashdepth-tiny-s',
        'sources': [{'root': str(folder / 'clips')}],
        'phases': [{'steps': 2, 'height': 28, 'width': 42, 'frames': 1, 'batch': 2}],
        'workers': 0,
        'validation': {'sources': [{'root': str(folder / 'clips')}], 'videos': 1},
    }
    first = stage | {'output': str(folder / 'first'), 'temporal': False}
    second = stage | {
        'output': str(folder / 'second'),
        'initial': {'student': str(folder / 'first' / 'weights.safetensors')},
    }
    line = film or f'{folder / "clips"} {FILM}'
    path = folder / 'recipe.yaml'
    path.write_text(yaml.safe_dump({'film': [line], 'processes': 1, 'stages': [first, second]}))
    return path


@pytest.fixture(scope='module')
def interrupted(tmp_path_factory):
    """A recipe stopped by Ctrl-C while it renders: its process, errors, and the clips by time."""
    folder = tmp_path_factory.mktemp('recipe')
    path = write_recipe(folder)
    command = [sys.executable, '-m', 'flashdepth_ros.cli', 'train', str(path)]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)
    while len(list(folder.glob('clips/*.clip.zip'))) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    clips = {each: each.stat().st_mtime_ns for each in folder.glob('clips/*.clip.zip')}
    return folder, process, errors, clips


@pytest.fixture(scope='module')
def finished(interrupted):
    folder = interrupted[0]
    assert follow(read_recipe(folder / 'recipe.yaml'), WORLD) is None
    return folder


def test_rendering_can_be_interrupted_and_goes_on(interrupted, finished):
    _, process, errors, clips = interrupted
    assert process.returncode == 130
    assert 'Traceback' not in errors
    assert 2 <= len(clips) < CLIPS
    assert len(list((finished / 'clips').glob('*.clip.zip'))) == CLIPS
    assert {each: each.stat().st_mtime_ns for each in clips} == clips


def test_from_nothing_to_weights_of_the_last_stage(finished):
    assert read_checkpoint(finished / 'second')['step'] == 2
    names = read_weights(finished / 'second' / 'weights.safetensors')
    assert any(name.startswith('temporal.') for name in names)
    origin = metadata(finished / 'second' / 'weights.safetensors')['origin']
    assert origin == 'trained 2 steps; trained 2 steps'


def test_what_is_finished_is_not_done_again(finished):
    files = [path for path in finished.rglob('*') if path.suffix in ('.zip', '.safetensors')]
    times = [path.stat().st_mtime_ns for path in files]
    assert follow(read_recipe(finished / 'recipe.yaml'), WORLD) is None
    assert [path.stat().st_mtime_ns for path in files] == times


def test_changes_of_what_is_finished_are_named(finished, caplog):
    content = yaml.safe_load((finished / 'recipe.yaml').read_text())
    content['film'] = [content['film'][0].replace('--frames 2', '--frames 3')]
    content['stages'][1]['seed'] = 8
    (finished / 'changed.yaml').write_text(yaml.safe_dump(content))
    assert follow(read_recipe(finished / 'changed.yaml'), WORLD) is None
    clips, stage = (line for line in caplog.messages if 'by' in line)
    assert 'finished, by earlier arguments' in clips
    assert '--frames 2' in clips
    assert 'by an earlier configuration' in stage
    assert '(seed: 0 then, 8 now)' in stage


def test_an_output_that_is_a_file_is_named_before_anything_starts(tmp_path):
    (tmp_path / 'second').touch()
    with pytest.raises(ConfigError, match=r'output .*/second: is no folder'):
        follow(read_recipe(write_recipe(tmp_path)), WORLD)
    assert not (tmp_path / 'clips').exists()


@pytest.mark.parametrize(
    ('film', 'message'),
    [
        ('clips --sedes 0:2', '--sedes'),
        ('clips --frames many', 'many'),
        ('clips --seeds 2:2', 'A below B'),
        ('clips --size big', "'x' between"),
        ('clips --textures photographs', '--textures without --variety'),
        ('clips --frames 0', '--frames 0 given, at least 1 expected'),
        ('clips --seeds 0-2', "'0-2' given"),
        ("clips --kind 'any", 'No closing quotation'),
        ('--seeds 0:2', 'folder'),
    ],
)
def test_a_wrong_argument_of_film_is_named_before_anything_starts(tmp_path, film, message):
    with pytest.raises(ConfigError, match=rf'recipe.yaml: film\[0\]: .*{message}'):
        read_recipe(write_recipe(tmp_path, film=film))


def test_an_error_of_a_stage_names_it(tmp_path):
    content = yaml.safe_load(write_recipe(tmp_path).read_text())
    content['stages'][1]['precision'] = 'float8'
    (tmp_path / 'recipe.yaml').write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=r'stages\[1\].*float8'):
        read_recipe(tmp_path / 'recipe.yaml')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'stages': []}, 'recipe.yaml: stages: at least one expected'),
        ({'processes': 0}, 'recipe.yaml: processes: 0 given, at least 1 expected'),
    ],
)
def test_a_recipe_without_work_is_refused(tmp_path, changes, message):
    content = yaml.safe_load(write_recipe(tmp_path).read_text())
    (tmp_path / 'recipe.yaml').write_text(yaml.safe_dump(content | changes))
    with pytest.raises(ConfigError, match=message):
        read_recipe(tmp_path / 'recipe.yaml')


def test_two_stages_with_one_output_are_refused(tmp_path):
    content = yaml.safe_load(write_recipe(tmp_path).read_text())
    content['stages'][1]['output'] = content['stages'][0]['output']
    (tmp_path / 'recipe.yaml').write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=r'stages\[1\]: output .*first is that of stages\[0\]'):
        read_recipe(tmp_path / 'recipe.yaml')
