"""Output folders and clips that a run refuses, and what it says then."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.data import Dataset

from flashdepth_ros.errors import CheckpointError, ConfigError, InputError
from flashdepth_ros.runtime.distributed import World
from flashdepth_ros.training.batch_loader import load_batches
from flashdepth_ros.training.config import TrainingConfig
from flashdepth_ros.training.run import train
from flashdepth_ros.training.run_folder import CHECKPOINT, COLUMNS, CURVE, RunFolder
from flashdepth_ros.training.trainer import Trainer
from support.training_scenes import tiny_run, write_scene

ALONE = World(0, 1, torch.device('cpu'))


@pytest.fixture
def config(tmp_path: Path) -> TrainingConfig:
    """Return the configuration of a run with clips and an empty output folder."""
    (tmp_path / 'clips').mkdir()
    write_scene(tmp_path / 'clips' / 'a.clip.zip')
    config = tiny_run(tmp_path)
    Path(config.output).mkdir()
    return config


def refusal(config: TrainingConfig) -> str:
    """Return the error of a run, which is one line with a way out."""
    with pytest.raises(CheckpointError) as caught:
        train(config, ALONE)
    message = str(caught.value)
    assert message.startswith(f'{config.output}/')
    assert message.endswith('or use another output')
    assert '\n' not in message
    return message


def test_a_damaged_checkpoint_is_refused(config):
    output = Path(config.output)
    torch.save(Trainer(config, ALONE).state(), output / CHECKPOINT)
    whole = (output / CHECKPOINT).read_bytes()
    (output / CHECKPOINT).write_bytes(whole[: len(whole) // 2])
    assert 'damaged' in refusal(config)


@pytest.mark.parametrize(
    'content',
    [[1, 2], {}, {'a': torch.zeros(2)}, {'model': {}}, torch.zeros(3), {'model': 1, 'step': 'x'}],
    ids=str,
)
def test_a_checkpoint_of_something_else_is_refused(config, content):
    torch.save(content, Path(config.output) / CHECKPOINT)
    message = refusal(config)
    assert 'not the checkpoint of a run' in message
    assert 'entries step, seconds, model, optimisers expected' in message


@pytest.mark.parametrize('content', [b'', b'{"a": 1}', b'\x80\x04junk', b'PK\x03\x04' + bytes(99)])
def test_junk_instead_of_a_checkpoint_is_refused(config, content):
    (Path(config.output) / CHECKPOINT).write_bytes(content)
    assert 'damaged, or not the checkpoint of a run' in refusal(config)


def test_a_folder_instead_of_a_checkpoint_is_refused(config):
    (Path(config.output) / CHECKPOINT).mkdir()
    assert 'cannot be read: Is a directory' in refusal(config)


def test_a_foreign_learning_curve_is_refused_before_training(config):
    for content in ('name,age\nA,3\n', f'{",".join(COLUMNS)}\n1,a\n', '\0\n'):
        (Path(config.output) / CURVE).write_text(content)
        assert 'not the learning curve of a run' in refusal(config)


def test_an_output_that_cannot_be_written_is_named(config, tmp_path):
    (tmp_path / 'file').touch()
    for output in (tmp_path / 'file', tmp_path / 'file' / 'below', Path('/proc/self')):
        with pytest.raises(ConfigError, match=f'{output}: ') as caught:
            train(replace(config, output=str(output)), ALONE)
        assert 'Errno' not in str(caught.value)


def test_a_checkpoint_that_cannot_be_written_is_named(tmp_path):
    with closing(RunFolder(tmp_path)) as folder:
        (tmp_path / f'{CHECKPOINT}.partial').symlink_to('/dev/full')
        with pytest.raises(ConfigError, match=r'checkpoint\.pt: cannot be written: '):
            folder.save_checkpoint({'model': torch.zeros(100_000)})
    assert not (tmp_path / f'{CHECKPOINT}.partial').is_symlink()


@pytest.mark.parametrize('workers', [0, 1])
def test_a_damaged_clip_is_named_in_one_line(config, workers):
    (clip,) = Path(config.sources[0].root).iterdir()
    content = clip.read_bytes()
    start = content.index(b'\xff\xd8\xff')
    clip.write_bytes(content[:start] + bytes(8000) + content[start + 8000 :])
    with pytest.raises(InputError) as caught:
        train(replace(config, workers=workers), ALONE)
    assert str(caught.value).startswith(f'{clip}: not a clip, or damaged (')
    assert '\n' not in str(caught.value)


def test_what_a_dataset_raises_is_one_line():
    class Broken(Dataset):
        def __getitem__(self, index):
            raise ValueError('no such\nthing')

    with pytest.raises(InputError, match='a sample cannot be read: ValueError: no such thing'):
        next(load_batches(0, False, Broken(), [[0, 1]]))
