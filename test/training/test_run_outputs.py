"""Outputs of a run: weights, learning curve, checkpoints, validation."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from flashdepth_ros.errors import CheckpointError, ConfigError
from flashdepth_ros.network import create_model, load_weights
from flashdepth_ros.network.checkpoint import metadata
from flashdepth_ros.runtime.distributed import World
from flashdepth_ros.training.clips import find_clips
from flashdepth_ros.training.config import TrainingConfig
from flashdepth_ros.training.config_changes import describe_changes
from flashdepth_ros.training.run import samples, train
from flashdepth_ros.training.run_folder import (
    RunFolder,
    read_checkpoint,
)
from flashdepth_ros.training.run_log import RunLog
from flashdepth_ros.training.trainer import Trainer
from flashdepth_ros.training.validation import FARTHEST_M, METRICS, Validation, score
from support.training_scenes import one_thread, tiny_run, write_scene

# PyTorch forks loader processes on Linux; Python 3.12 warns about that.
pytestmark = pytest.mark.filterwarnings('ignore:.*multi-threaded.*:DeprecationWarning')

ALONE = World(0, 1, torch.device('cpu'))


@pytest.fixture(scope='module')
def finished(tmp_path_factory) -> Iterator[TrainingConfig]:
    """Return the configuration of a finished run."""
    folder: Path = tmp_path_factory.mktemp('training')
    (folder / 'clips').mkdir()
    write_scene(folder / 'clips' / 'a.clip.zip')
    config = tiny_run(folder, workers=1)
    with one_thread():
        assert train(config, ALONE)
        yield config


def files(config: TrainingConfig) -> list[Path]:
    """Return all files of a run."""
    return [path for path in Path(config.output).rglob('*') if path.is_file()]


def test_the_weights_are_the_average_and_load_strictly(finished):
    model = create_model('flashdepth-tiny-s')
    load_weights(model, Path(finished.output) / 'weights.safetensors')
    average = read_checkpoint(Path(finished.output))['average']
    for name, entry in model.state_dict().items():
        torch.testing.assert_close(entry, average[f'module.{name}'].half().float())
    assert metadata(Path(finished.output) / 'weights.safetensors') == {
        'preset': 'flashdepth-tiny-s',
        'license': 'Apache-2.0',
        'origin': 'trained 6 steps',
    }


def test_the_curve_has_every_metric(finished):
    folder = RunFolder(Path(finished.output))
    folder.close()
    rows = folder.read_curve()
    assert [row['step'] for row in rows] == [4, 6]
    assert set(rows[0]) == {'step', 'seconds', 'loss', *METRICS}
    assert all(0 < row['abs_rel'] < 1000 for row in rows)
    assert list((Path(finished.output) / 'tensorboard').iterdir())


def test_a_finished_run_is_not_changed_and_says_so(finished, caplog):
    caplog.set_level('INFO')
    before = {path: path.read_bytes() for path in files(finished)}
    assert train(finished, ALONE)
    assert {path: path.read_bytes() for path in files(finished)} == before
    (line,) = caplog.messages
    assert line.startswith(f'{finished.output}: finished after 6 steps, nothing to do')
    assert 'more steps' in line
    assert 'another output' in line


def test_a_run_finished_by_another_configuration_says_so(finished, caplog):
    optimiser = replace(finished.optimiser, weight_decay=0.5)
    for change, message in (
        ({'seed': 3}, 'seed: 0 then, 3 now'),
        ({'optimiser': optimiser}, 'optimiser.weight_decay: 0.02 then, 0.5 now'),
        ({'phases': finished.phases[:1]}, 'phases: 2 entries then, 1 now'),
    ):
        caplog.clear()
        assert train(replace(finished, **change), ALONE)
        (line,) = caplog.messages
        assert 'by an earlier configuration; nothing is trained, the results stay' in line
        assert f'({message})' in line


def test_what_does_not_change_the_result_is_no_change(finished):
    state = read_checkpoint(Path(finished.output))
    same = replace(finished, workers=3, save_every=7, output='moved')
    assert describe_changes(state['config'], same) == ''
    assert describe_changes({}, same) == ''


def test_a_resumed_run_uses_the_current_settings(finished):
    optimiser = replace(finished.optimiser, weight_decay=0.5)
    trainer = Trainer(replace(finished, optimiser=optimiser), ALONE)
    trainer.restore(read_checkpoint(Path(finished.output)))
    assert trainer.optimisers[0].param_groups[0]['weight_decay'] == 0.5
    assert trainer.optimisers[0].state_dict()['state'][0]['step'] == 6


def test_the_checkpoint_of_another_model_is_refused(finished):
    other = replace(finished, model='flashdepth-tiny-l')
    with pytest.raises(CheckpointError, match=r'another run \(model: flashdepth-tiny-s then'):
        train(other, ALONE)


def test_a_batch_that_does_not_divide_is_refused(finished):
    with pytest.raises(ConfigError, match='multiple of 3'):
        next(samples(finished, World(0, 3, torch.device('cpu')), 0))


@pytest.mark.parametrize('muon', [False, True])
def test_a_step_with_a_non_finite_gradient_is_skipped(finished, caplog, tmp_path, muon):
    optimiser = replace(finished.optimiser, muon=muon)
    trainer = Trainer(replace(finished, optimiser=optimiser), ALONE)
    before = {name: entry.clone() for name, entry in trainer.model.state_dict().items()}
    for skipped, value in ((1.0, torch.nan), (0.0, 0.0)):
        torch.nn.init.constant_(trainer.model.encoder.class_token, value)
        terms = trainer.train_step(next(iter(samples(finished, ALONE, 0))))
        assert terms['skipped'] == skipped
        unchanged = [
            torch.equal(entry, before[name])
            for name, entry in trainer.model.state_dict().items()
            if name != 'encoder.class_token'
        ]
        assert all(unchanged) == bool(skipped)
    with closing(RunFolder(tmp_path)) as folder, closing(RunLog(trainer, folder)) as log:
        log._terms = [terms | {'skipped': torch.ones(())}, terms]
        log._log_terms()
    assert '1 of the last 2 steps skipped' in caplog.text


def test_validation_selects_videos_from_the_sources(finished):
    validation = Validation.from_config(finished)
    assert len(validation.videos) == 1
    assert validation.size == (42, 56)
    assert set(validation.run(create_model('flashdepth-tiny-s'), ALONE.device)) == set(METRICS)


def test_ground_truth_scores_best_and_alignment_removes_scale_and_shift(finished):
    (clip,) = find_clips(Path(finished.sources[0].root))
    true_inverse_depth = clip.read(range(4)).inverse_depth
    predicted = np.nan_to_num(true_inverse_depth)
    perfect = score(predicted, true_inverse_depth)
    assert perfect['delta1'] == perfect['aligned_delta1'] == perfect['boundary_f1'] == 1.0
    assert perfect['abs_rel'] == pytest.approx(0.0, abs=1e-6)
    wrong = score(0.5 * predicted + 0.3, true_inverse_depth)
    assert wrong['delta1'] < 0.9
    assert wrong['aligned_abs_rel'] == pytest.approx(0.0, abs=1e-4)


def test_infinite_depth_on_surfaces_is_an_error(finished):
    (clip,) = find_clips(Path(finished.sources[0].root))
    true_inverse_depth = clip.read(range(2)).inverse_depth
    scores = score(np.zeros_like(true_inverse_depth), true_inverse_depth)
    assert scores['delta1'] == 0.0
    assert scores['abs_rel'] > FARTHEST_M / 100
    assert np.isnan(scores['aligned_delta1'])
