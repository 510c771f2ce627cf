"""Laws of what is kept: a step on it is one on the frames themselves, however often they come."""

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
from flashdepth_ros.training.keeping import Keeper
from flashdepth_ros.training.records import read_checkpoint
from flashdepth_ros.training.run import samples, train
from flashdepth_ros.training.trainer import Trainer
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

    def config(output='run', rates=FROZEN | {'temporal': 1e-2, 'decoder': 1e-2}, **phase):
        return tiny_run(
            tmp_path,
            output=str(tmp_path / output),
            phases=[{**PHASE, 'judged': 4, **phase}],
            optimiser={'warmup_steps': 0, 'rates': rates},
        )

    return config


def kept(config):
    trainer = Trainer(config, ALONE)
    return trainer, samples(config, ALONE, 0, Keeper(config, trainer.model, ALONE))


@pytest.mark.parametrize('judged', [4, 0])
def test_a_step_on_what_is_kept_is_one_on_the_frames(make, judged):
    # Two steps of two samples go through the four that are kept, once.
    rates = FROZEN | {'temporal': 1e-2, 'decoder': 0.0}
    ours = make('ours', rates, judged=judged, kept=4)
    theirs = make('theirs', rates, judged=judged)
    trainer, given = kept(ours)
    plain = Trainer(theirs, ALONE)
    for one, other in zip(islice(given, 2), samples(theirs, ALONE, 0), strict=False):
        mine, its = trainer.learn(one), plain.learn(other)
        torch.testing.assert_close(mine['loss'], its['loss'])
        torch.testing.assert_close(mine['norm'], its['norm'], rtol=1e-4, atol=1e-6)


def test_what_comes_after_the_frames_are_seen_learns_and_nothing_before(make):
    trainer, given = kept(make(kept=2))
    model = trainer.model
    before = {name: entry.clone() for name, entry in model.state_dict().items()}
    seen = model.see(*next(samples(make(), ALONE, 0)).given(ALONE.device)[:1])
    for sample in given:
        trainer.learn(sample)
    again = model.see(*next(samples(make(), ALONE, 0)).given(ALONE.device)[:1])
    for one, other in zip((seen.path, seen.tokens), (again.path, again.tokens), strict=True):
        assert torch.equal(one, other)
    changed = {n for n, entry in model.state_dict().items() if not torch.equal(entry, before[n])}
    parts = {'.'.join(name.split('.')[:3]).removesuffix('.weight') for name in changed}
    assert parts > {'decoder.levels.2', 'decoder.levels.1', 'decoder.head.conv3'}
    assert not any(name.startswith(('decoder.levels.4', 'decoder.levels.3')) for name in changed)


def test_steps_go_through_what_is_kept_over_and_over(make):
    _, given = kept(make(kept=3))
    depths = [depth for sample in given for depth in sample.inverse_depth]
    assert len(depths) == 10
    for index, depth in enumerate(depths):
        torch.testing.assert_close(depth, depths[index % 3], equal_nan=True)
    assert not torch.equal(depths[0].nan_to_num(), depths[1].nan_to_num())


def test_a_repeated_frame_passes_through_the_state_so_often(make):
    trainer, given = kept(make(kept=2, repeats=3))
    frames, _, wanted = next(samples(make(), ALONE, 0)).given(ALONE.device)
    model = trainer.model
    model.temporal.output.weight.data.normal_()
    with torch.no_grad():
        ours, state = model(*next(given).given(ALONE.device))
        theirs, after = model(frames.repeat_interleave(3, dim=1), None, 3 * wanted + 2)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(state.ssm, after.ssm)


@pytest.fixture
def seen(monkeypatch):
    """Return a list that gets the number of frames whenever a model sees some of these clips."""
    counts: list[int] = []
    see = FlashDepth.see

    def counted(model, frames, wanted=None):
        if frames.shape[-2] == PHASE['height']:  # others are seen to make a model
            counts.append(frames.shape[1])
        return see(model, frames, wanted)

    monkeypatch.setattr(FlashDepth, 'see', counted)
    return counts


def test_what_is_kept_stays_over_an_interruption(make, seen):
    config = make(kept=4)
    trainer = Trainer(config, ALONE)
    keeper = Keeper(config, trainer.model, ALONE, lambda: len(seen) >= 4)
    assert not list(samples(config, ALONE, 0, keeper))
    assert seen == [8, 2] * 2  # two samples of ten frames
    validated = config.validation.frames
    assert train(config, ALONE)
    assert seen[:8] == [8, 2] * 4
    assert set(seen[8:]) == {validated}
    assert read_checkpoint(Path(config.output))['step'] == 5
    del seen[:]
    assert train(replace(config, phases=(replace(config.phases[0], steps=6),)), ALONE)
    assert set(seen) == {validated}


def test_other_weights_see_anew(make, tmp_path):
    config = make(kept=1)
    for seed in (1, 1, 2):
        trainer = Trainer(replace(config, seed=seed), ALONE)
        keeper = Keeper(config, trainer.model, ALONE)
        next(samples(config, ALONE, 0, keeper))
    assert len(list((tmp_path / 'run' / 'kept').iterdir())) == 2


class Together(World):
    """Processes of a run that are threads."""

    barrier = Barrier(2)

    def wait(self):
        self.barrier.wait()

    def any(self, flag):
        self.barrier.wait()
        return flag


def test_processes_share_what_is_to_be_seen(make, seen):
    config = make(kept=3)
    alone = [s.inverse_depth for s in kept(replace(config, output=config.output + '-alone'))[1]]
    assert len(seen) == 2 * 3
    worlds = [Together(rank, 2, torch.device('cpu')) for rank in range(2)]
    trainers = [Trainer(config, ALONE) for _ in worlds]

    def share(world, trainer):
        given = samples(config, world, 0, Keeper(config, trainer.model, world))
        return [sample.inverse_depth for sample in given]

    with ThreadPoolExecutor() as threads:
        shares = list(threads.map(share, worlds, trainers))
    assert len(seen) == 2 * 2 * 3
    for whole, parts in zip(alone, zip(*shares, strict=True), strict=True):
        torch.testing.assert_close(torch.cat(parts), whole, equal_nan=True)


@pytest.mark.parametrize(
    ('learning', 'phase', 'complaint'),
    [
        ('encoder', 'kept: 4', 'can be kept where all rates but temporal and decoder are 0'),
        ('encoder', 'repeats: 3', 'can be kept where all rates but temporal and decoder are 0'),
        ('temporal', 'kept: -1', '1 or more repeats of samples that are kept expected'),
        ('temporal', 'kept: 4, repeats: 0', '1 or more repeats of samples that are kept expected'),
        ('temporal', 'repeats: 2', '1 or more repeats of samples that are kept expected'),
        ('decoder', 'kept: 4}, {steps: 1, height: 14, width: 14', 'of all phases or of none'),
    ],
)
def test_what_cannot_be_kept_is_refused(tmp_path, learning, phase, complaint):
    rates = ', '.join(f'{name}: 0.0' for name in FROZEN if name != learning)
    (tmp_path / 'run.yaml').write_text(
        'model: flashdepth-tiny\noutput: x\nsources: [{root: x}]\n'
        f'phases: [{{steps: 1, height: 14, width: 14, {phase}}}]\n'
        f'optimiser: {{rates: {{{rates}}}}}\n'
    )
    with pytest.raises(ConfigError, match=complaint):
        read_config(tmp_path / 'run.yaml')
