"""Training runs: interruption, learning, freezing."""

from collections.abc import Iterator
import csv
import multiprocessing
import os
from pathlib import Path
import subprocess
import time

import pytest
import torch

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.runtime.distributed import World
from flashdepth_ros.training.config import check_config
from flashdepth_ros.training.run import samples, train
from flashdepth_ros.training.run_folder import read_checkpoint
from flashdepth_ros.training.trainer import Trainer
from support.training_scenes import one_thread, tiny_run, write_scene

ALONE = World(0, 1, torch.device('cpu'))


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / 'clips').mkdir()
    for seed in range(2):
        write_scene(tmp_path / 'clips' / f'{seed}.clip.zip', seed)
    return tmp_path


def curve(folder: Path) -> list[dict[str, float]]:
    with (folder / 'metrics.csv').open(newline='') as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def interrupt_at(step, monkeypatch):
    """Send SIGTERM to the process and its loaders during `step`."""
    train_step = Trainer.train_step

    def signal_and_train(trainer, sample):
        if trainer.step == step:
            loaders = [process.pid for process in multiprocessing.active_children()]
            # From another process: PyTorch loaders handle signals of their parent differently.
            subprocess.run(['kill', *map(str, (os.getpid(), *loaders))], check=True)
        return train_step(trainer, sample)

    monkeypatch.setattr(Trainer, 'train_step', signal_and_train)


@pytest.mark.parametrize('step', [1, 4])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(folder, monkeypatch, step):
    whole = tiny_run(folder, output=str(folder / 'whole'))
    assert train(whole, ALONE)
    parts = tiny_run(folder, output=str(folder / 'parts'))
    with monkeypatch.context() as patch:
        interrupt_at(step, patch)
        assert not train(parts, ALONE)
    assert read_checkpoint(folder / 'parts')['step'] == step + 1
    assert train(parts, ALONE)
    ends = [read_checkpoint(folder / name) for name in ('whole', 'parts')]
    for kind in ('model', 'average'):
        for name, entry in ends[0][kind].items():
            assert torch.equal(entry, ends[1][kind][name]), name
    curves = [curve(folder / name) for name in ('whole', 'parts')]
    assert [row['step'] for row in curves[0]] == [4, 6]
    assert curves[0][-1]['abs_rel'] == curves[1][-1]['abs_rel']


def test_a_run_of_some_minutes_ends_in_time_with_its_lowest_rate(folder):
    phase = {'steps': 10**6, 'height': 28, 'width': 42, 'frames': 1, 'batch': 2}
    config = tiny_run(folder, phases=[phase], minutes=0.1, save_every=10**6)
    started_s = time.monotonic()
    assert train(config, ALONE)
    assert 5.0 < time.monotonic() - started_s < 30.0
    state = read_checkpoint(folder / 'run')
    assert state['step'] > 10
    assert state['seconds'] >= 6.0
    (group, *_) = state['optimisers'][0]['param_groups']
    assert group['lr'] == pytest.approx(0.02 * group['peak'], rel=0.2)
    assert curve(folder / 'run')[-1]['step'] == state['step']
    assert train(config, ALONE)  # a finished one ends at once
    assert read_checkpoint(folder / 'run')['step'] == state['step']


def test_a_run_of_some_minutes_is_for_one_process_and_one_phase(folder):
    with pytest.raises(ConfigError, match='minutes need one process, not 2'):
        train(tiny_run(folder, minutes=1.0), World(0, 2, torch.device('cpu')))
    with pytest.raises(ConfigError, match='minutes 1 with 2 phases'):
        check_config(tiny_run(folder, minutes=1.0), 'test')


def test_a_signal_to_all_processes_leaves_a_checkpoint(folder, monkeypatch):
    interrupt_at(1, monkeypatch)
    assert not train(tiny_run(folder, output=str(folder / 'run'), workers=1), ALONE)
    assert read_checkpoint(folder / 'run')['step'] == 2


def test_the_loss_decreases_on_the_same_clips(folder):
    config = tiny_run(
        folder,
        phases=[{'steps': 40, 'height': 42, 'width': 56, 'frames': 2, 'batch': 2, 'strides': [1]}],
        augmentation={'zoom': 1.0, 'flip': False, 'colour': 0.0},
        optimiser={'warmup_steps': 5, 'rates': {'encoder': 1e-3, 'decoder': 1e-3}},
    )
    trainer = Trainer(config, ALONE)
    losses = [float(trainer.train_step(sample)['loss']) for sample in samples(config, ALONE, 0)]
    assert losses[-1] < 0.3 * losses[0]


def test_parts_with_rate_0_are_frozen(folder):
    config = tiny_run(folder, optimiser={'rates': {'encoder': 0.0}, 'warmup_steps': 0})
    trainer = Trainer(config, ALONE)
    before = {name: entry.clone() for name, entry in trainer.model.state_dict().items()}
    trainer.train_step(next(iter(samples(config, ALONE, 0))))
    changed = {
        name.split('.')[0]
        for name, entry in trainer.model.state_dict().items()
        if not torch.equal(entry, before[name])
    }
    assert changed == {'decoder', 'temporal'}
