"""
Training samples, drawn from videos.

The sample of an index depends only on (seed, index). So a run resumes from the number of samples,
and any number of processes draws the same samples.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from flashdepth_ros.training.augmentation import augment
from flashdepth_ros.training.batches import normalise
from flashdepth_ros.training.config import AugmentationConfig, PhaseConfig, SourceConfig
from flashdepth_ros.training.sources import find_videos
from flashdepth_ros.training.video import Video


class Sample(NamedTuple):
    """A clip of T frames, S of them with loss; a batch has one more dimension in front."""

    rgb: Tensor
    """(T, 3, H, W) uint8."""
    loss_frames: Tensor
    """(S,) int64, indices of the frames that enter the loss."""
    inverse_depth: Tensor
    """(S, H, W) float32, 1/m: the training target of these frames. NaN: unknown."""

    def model_inputs(self, device: torch.device) -> tuple[Tensor, None, Tensor | None]:
        """Return the model's arguments for a batch of samples: frames, state, output frames."""
        frames = normalise(self.rgb.to(device, non_blocking=True))
        if self.loss_frames.shape[1] == self.rgb.shape[1]:
            return frames, None, None
        return frames, None, self.loss_frames.to(device, non_blocking=True)


class VideoPool:
    """The videos of all sources, drawn by the weight of the source and the length of the video."""

    def __init__(self, sources: Sequence[SourceConfig]) -> None:
        self.videos: list[Video] = []
        weights: list[float] = []
        for source in sources:
            videos = find_videos(source)
            frames = sum(video.length for video in videos)
            self.videos += videos
            weights += [source.weight * video.length / frames for video in videos]
        self._cumulative = np.cumsum(weights) / np.sum(weights)

    def draw(self, random: np.random.Generator) -> Video:
        """Return a random video."""
        index = int(np.searchsorted(self._cumulative, random.random(), side='right'))
        return self.videos[min(index, len(self.videos) - 1)]


class ClipDataset(Dataset[Sample]):
    """The samples of one phase; `dataset[index]` exists for every index >= 0."""

    def __init__(
        self,
        pool: VideoPool,
        phase: PhaseConfig,
        augmentation: AugmentationConfig,
        seed: int,
        canonical_focal: float = 0.0,
    ) -> None:
        self.pool = pool
        self.phase = phase
        self.augmentation = augmentation
        self.seed = seed
        self.canonical_focal = canonical_focal

    def __getitem__(self, index: int) -> Sample:
        random = np.random.default_rng((self.seed, index))
        video = self.pool.draw(random)
        frames = draw_frames(video.length, self.phase, random)
        size = self.phase.size(index)
        window = augment(video.read(frames), size, self.augmentation, random)
        window = window.canonical(self.canonical_focal, video.name(frames[0]))
        rgb = torch.from_numpy(window.rgb).permute(0, 3, 1, 2)
        loss_frames = draw_loss_frames(self.phase, random)
        return Sample(rgb, loss_frames, torch.from_numpy(window.inverse_depth)[loss_frames])


def draw_frames(length: int, phase: PhaseConfig, random: np.random.Generator) -> list[int]:
    """
    Draw the frames of a clip: one stride, one start; a short video repeats its last frame.

    Strides too long for the video are left out; if all are, the smallest is used.
    """
    gaps = phase.frames - 1
    fitting = [stride for stride in phase.strides if stride * gaps < length]
    stride = int(random.choice(fitting or [min(phase.strides)]))
    start = int(random.integers(max(1, length - stride * gaps)))
    return [min(start + stride * i, length - 1) for i in range(phase.frames)]


def draw_loss_frames(phase: PhaseConfig, random: np.random.Generator) -> Tensor:
    """Draw the frames with loss: all, or the first two and a pair from each other part."""
    if not phase.loss_frames:
        return torch.arange(phase.frames)
    pairs = phase.loss_frames // 2
    bounds = np.linspace(0, phase.frames, pairs + 1).astype(int)
    firsts = random.integers(bounds[:-1], bounds[1:] - 1)
    firsts[0] = 0  # Every stream starts with an empty state: the first frames must be trained.
    return torch.from_numpy(np.stack((firsts, firsts + 1), axis=1).ravel())


class StepSampler(Sampler[list[int]]):
    """
    Yields the sample indices of each step for one of several processes.

    :param steps: the steps, counted from the start of the phase.
    :param first: index of the first sample of the phase.
    :param rank: rank of this process among `world` processes.
    """

    def __init__(self, steps: range, first: int, batch: int, rank: int, world: int) -> None:
        self.steps = steps
        self.first = first
        self.batch = batch
        self.share = batch // world
        self.offset = rank * self.share

    def __iter__(self) -> Iterator[list[int]]:
        for step in self.steps:
            start = self.first + step * self.batch + self.offset
            yield list(range(start, start + self.share))

    def __len__(self) -> int:
        return len(self.steps)
