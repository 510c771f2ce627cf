"""Small clips and configurations for training tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from flashdepth_ros.training.clips import Camera, write_clip
from flashdepth_ros.training.config import TrainingConfig
from flashdepth_ros.training.parsing import parse


def write_scene(path: Path, seed: int = 0, frames: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Write a clip of a textured wall and floor, with sky and a hole; return images and depth."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:48, :64].astype(np.float32)
    inverse = np.maximum(0.0, (rows - 20.0) / 60.0) + 0.05
    depth = np.stack([1.0 / (inverse + 0.01 * t) for t in range(frames)]).astype(np.float32)
    depth[:, :4] = np.inf
    depth[:, 30:33, 10:14] = np.nan
    texture = 40.0 * np.sin(rows / 3.0)[..., None] + 30.0 * np.cos(columns / 5.0)[..., None]
    rgb = 120.0 + texture + random.normal(0.0, 4.0, (frames, 48, 64, 3))
    rgb = rgb.clip(0, 255).astype(np.uint8)
    poses = np.tile(np.eye(4), (frames, 1, 1))
    write_clip(path, rgb, depth, Camera((50.0, 50.0, 32.0, 24.0), poses, list(range(frames))))
    return rgb, depth


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread, which is faster at this size."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tiny_run(folder: Path, **changes: object) -> TrainingConfig:
    """Return a short run of the smallest preset on the clips in `folder`/clips."""
    content = {
        'model': 'flashdepth-tiny-s',
        'output': str(folder / 'run'),
        'sources': [{'root': str(folder / 'clips')}],
        'phases': [
            {'steps': 3, 'height': 28, 'width': 42, 'frames': 2, 'batch': 2, 'strides': [1, 2]},
            {'steps': 3, 'height': 42, 'width': 56, 'frames': 3, 'batch': 2, 'strides': [1]},
        ],
        'workers': 0,
        'optimiser': {'warmup_steps': 2, 'muon': True, 'ema_decay': 0.9},
        'validation': {
            'sources': [{'root': str(folder / 'clips')}],
            'every': 4,
            'videos': 1,
            'frames': 3,
        },
    }
    return parse(TrainingConfig, content | changes, 'test')
