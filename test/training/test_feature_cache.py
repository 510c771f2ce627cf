"""Cached features: training on them equals training on the frames."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from threading import Barrier

import pytest
import torch

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network import FlashDepth
from flashdepth_ros.runtime.distributed import World
from flashdepth_ros.training.config import read_config
from flashdepth_ros.training.feature_cache import FeatureCache
from flashdepth_ros.training.run import samples, train
from flashdepth_ros.training.run_folder import read_checkpoint
from flashdepth_ros.training.trainer import Trainer
from support.full_disk import file_size_limit
from support.training_scenes import one_thread, tiny_run, write_scene

ALONE = World(0, 1, torch.device('cpu'))
PHASE = {'steps': 5, 'height': 42, 'width': 56, 'frames': 10, 'batch': 2, 'strides': [1]}
FROZEN = dict.fromkeys(('encoder', 'fusion', 'context'), 0.0)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture
def make(tmp_path):
    (tmp_path / 'clips').mkdir()
    for seed in range(3):
        write_scene(tmp_path / 'clips' / f'{seed}.clip.zip', seed, frames=12)

    def config(
        output='run',
        rates=FROZEN | {'temporal': 1e-2, 'decoder': 1e-2},
        model='flashdepth-tiny-s',
        **phase,
    ):
        return tiny_run(
            tmp_path,
            model=model,
            output=str(tmp_path / output),
            phases=[{**PHASE, 'loss_frames': 4, **phase}],
            optimiser={'warmup_steps': 0, 'rates': rates},
        )

    return config


def cached_samples(config):
    trainer = Trainer(config, ALONE)
    return trainer, samples(config, ALONE, 0, FeatureCache(config, trainer.model, ALONE))


@pytest.mark.parametrize(
    ('loss_frames', 'model'),
    [(4, 'flashdepth-tiny-s'), (0, 'flashdepth-tiny-s'), (4, 'flashdepth-lite')],
)
def test_a_step_on_cached_features_equals_one_on_the_frames(make, loss_frames, model):
    # Two steps of two samples use each of the four cached samples once.
    rates = FROZEN | {'temporal': 1e-2, 'decoder': 0.0}
    with_cache = make('cache', rates, loss_frames=loss_frames, model=model, cached_samples=4)
    without_cache = make('frames', rates, loss_frames=loss_frames, model=model)
    trainer, cached = cached_samples(with_cache)
    other_trainer = Trainer(without_cache, ALONE)
    pairs = zip(islice(cached, 2), samples(without_cache, ALONE, 0), strict=False)
    for cached_sample, sample in pairs:
        terms, expected = trainer.train_step(cached_sample), other_trainer.train_step(sample)
        torch.testing.assert_close(terms['loss'], expected['loss'])
        torch.testing.assert_close(terms['norm'], expected['norm'], rtol=1e-4, atol=1e-6)


def test_only_the_layers_after_the_features_are_trained(make):
    trainer, cached = cached_samples(make(cached_samples=2))
    model = trainer.model
    before = {name: entry.clone() for name, entry in model.state_dict().items()}
    frames = next(samples(make(), ALONE, 0)).model_inputs(ALONE.device)[0]
    features = model.extract_features(frames)
    for sample in cached:
        trainer.train_step(sample)
    trained = model.extract_features(frames)
    assert torch.equal(trained.path, features.path)
    assert torch.equal(trained.tokens, features.tokens)
    changed = {n for n, entry in model.state_dict().items() if not torch.equal(entry, before[n])}
    parts = {'.'.join(name.split('.')[:3]).removesuffix('.weight') for name in changed}
    assert parts > {'decoder.levels.2', 'decoder.levels.1', 'decoder.head.conv3'}
    assert not any(name.startswith(('decoder.levels.4', 'decoder.levels.3')) for name in changed)


def test_cached_samples_are_repeated(make):
    _, cached = cached_samples(make(cached_samples=3))
    depths = [depth for sample in cached for depth in sample.inverse_depth]
    assert len(depths) == 10
    for index, depth in enumerate(depths):
        torch.testing.assert_close(depth, depths[index % 3], equal_nan=True)
    assert not torch.equal(depths[0].nan_to_num(), depths[1].nan_to_num())


def test_a_repeated_frame_updates_the_state_repeatedly(make):
    trainer, cached = cached_samples(make(cached_samples=2, frame_repeats=3))
    frames, _, output_frames = next(samples(make(), ALONE, 0)).model_inputs(ALONE.device)
    model = trainer.model
    model.temporal.output.weight.data.normal_()
    with torch.no_grad():
        inverse_depth, state = model(*next(cached).model_inputs(ALONE.device))
        repeated = frames.repeat_interleave(3, dim=1)
        expected, expected_state = model(repeated, None, 3 * output_frames + 2)
    torch.testing.assert_close(inverse_depth, expected)
    torch.testing.assert_close(state.ssm, expected_state.ssm)


@pytest.fixture
def extracted(monkeypatch):
    """Return a list of the numbers of frames in each call that extracts features of clips."""
    counts: list[int] = []
    extract_features = FlashDepth.extract_features

    def count_and_extract(model, frames, output_frames=None):
        if frames.shape[-2] == PHASE['height']:  # Other sizes are used to initialise a model.
            counts.append(frames.shape[1])
        return extract_features(model, frames, output_frames)

    monkeypatch.setattr(FlashDepth, 'extract_features', count_and_extract)
    return counts


def test_the_cache_is_resumed_after_an_interruption(make, extracted):
    config = make(cached_samples=4)
    trainer = Trainer(config, ALONE)
    cache = FeatureCache(config, trainer.model, ALONE, lambda: len(extracted) >= 4)
    assert not list(samples(config, ALONE, 0, cache))
    assert extracted == [8, 2] * 2  # Two samples of ten frames.
    validated = config.validation.frames
    assert train(config, ALONE)
    assert extracted[:8] == [8, 2] * 4
    assert set(extracted[8:]) == {validated}
    assert read_checkpoint(Path(config.output))['step'] == 5
    del extracted[:]
    assert train(replace(config, phases=(replace(config.phases[0], steps=6),)), ALONE)
    assert set(extracted) == {validated}


def test_other_weights_use_another_cache(make, tmp_path):
    config = make(cached_samples=1)
    for seed in (1, 1, 2):
        trainer = Trainer(replace(config, seed=seed), ALONE)
        cache = FeatureCache(config, trainer.model, ALONE)
        next(samples(config, ALONE, 0, cache))
    assert len(list((tmp_path / 'run' / 'cached').iterdir())) == 2


class ThreadWorld(World):
    """Processes of a run, simulated by threads."""

    threads = Barrier(2)

    def barrier(self):
        self.threads.wait()

    def any(self, flag):
        self.threads.wait()
        return flag


def test_processes_share_the_extraction(make, extracted):
    config = make(cached_samples=3)
    _, cached = cached_samples(replace(config, output=config.output + '-alone'))
    alone = [sample.inverse_depth for sample in cached]
    assert len(extracted) == 2 * 3
    worlds = [ThreadWorld(rank, 2, torch.device('cpu')) for rank in range(2)]
    trainers = [Trainer(config, ALONE) for _ in worlds]

    def share(world, trainer):
        cached = samples(config, world, 0, FeatureCache(config, trainer.model, world))
        return [sample.inverse_depth for sample in cached]

    with ThreadPoolExecutor() as threads:
        shares = list(threads.map(share, worlds, trainers))
    assert len(extracted) == 2 * 2 * 3
    for whole, parts in zip(alone, zip(*shares, strict=True), strict=True):
        torch.testing.assert_close(torch.cat(parts), whole, equal_nan=True)


def test_a_full_disk_is_named_and_leaves_no_part_of_a_file(make):
    config = make(cached_samples=1)
    _, cached = cached_samples(config)
    with file_size_limit(1000), pytest.raises(ConfigError, match='cannot be written: '):
        next(cached)
    assert not [path for path in Path(config.output).rglob('*') if path.is_file()]


@pytest.mark.parametrize(
    ('trained', 'phase', 'message'),
    [
        ('encoder', 'cached_samples: 4', 'rates 0 for encoder, fusion and context'),
        ('encoder', 'frame_repeats: 3', 'rates 0 for encoder, fusion and context'),
        ('temporal', 'cached_samples: -1', 'cached_samples: -1 given, at least 0'),
        ('temporal', 'cached_samples: 4, frame_repeats: 0', 'frame_repeats: 0 given, at least 1'),
        ('temporal', 'frame_repeats: 2', 'needs cached_samples of at least 1'),
        (
            'decoder',
            'cached_samples: 4}, {steps: 1, height: 14, width: 14',
            'in all phases or in none',
        ),
    ],
)
def test_invalid_cache_settings_are_refused(tmp_path, trained, phase, message):
    rates = ', '.join(f'{name}: 0.0' for name in FROZEN if name != trained)
    (tmp_path / 'run.yaml').write_text(
        'model: flashdepth-tiny\noutput: x\nsources: [{root: x}]\n'
        f'phases: [{{steps: 1, height: 14, width: 14, {phase}}}]\n'
        f'optimiser: {{rates: {{{rates}}}}}\n'
    )
    with pytest.raises(ConfigError, match=message):
        read_config(tmp_path / 'run.yaml')
