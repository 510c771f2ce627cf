"""Two processes train like one."""

from dataclasses import asdict, replace

import torch
import yaml

from flashdepth_ros.runtime.distributed import World
from flashdepth_ros.training.initial import initial_model
from flashdepth_ros.training.run import train
from flashdepth_ros.training.run_folder import read_checkpoint
from support.torchrun import torchrun
from support.training_scenes import one_thread, tiny_run, write_scene


def test_two_processes_give_the_weights_of_one(tmp_path):
    (tmp_path / 'clips').mkdir()
    write_scene(tmp_path / 'clips' / 'a.clip.zip')
    # With AdamW's default epsilon, gradients that are 0 except for rounding make a full step.
    optimiser = {'warmup_steps': 2, 'ema_decay': 0.9, 'epsilon': 1e-3}
    alone = tiny_run(tmp_path, optimiser=optimiser, output=str(tmp_path / 'one'))
    with one_thread():
        assert train(alone, World(0, 1, torch.device('cpu')))
    config = asdict(replace(alone, output=str(tmp_path / 'two')))
    (tmp_path / 'run.yaml').write_text(yaml.safe_dump(_listed(config)))
    torchrun('flashdepth_ros.training', str(tmp_path / 'run.yaml'))
    one, two = (read_checkpoint(tmp_path / name) for name in ('one', 'two'))
    assert one['step'] == two['step'] == 6
    for kind in ('model', 'average'):
        for name, entry in one[kind].items():
            torch.testing.assert_close(two[kind][name], entry, atol=1e-5, rtol=0, msg=name)
    start = initial_model(alone).state_dict()
    assert max((one['model'][name] - start[name]).abs().max() for name in start) > 1e-3


def _listed(value: object) -> object:
    """Convert tuples to lists, as YAML has no tuples."""
    if isinstance(value, dict):
        return {key: _listed(each) for key, each in value.items()}
    return [_listed(each) for each in value] if isinstance(value, tuple) else value
