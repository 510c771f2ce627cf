"""
Clips to train on, drawn from videos.

The sample of an index is a function of (seed, index) alone. So nothing but the count of samples
has to be kept to go on after an interruption, and any number of processes draws the same samples.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from flashdepth_ros.training.augmentation import augment
from flashdepth_ros.training.batches import normalised
from flashdepth_ros.training.config import AugmentationConfig, PhaseConfig, SourceConfig
from flashdepth_ros.training.sources import find_videos
from flashdepth_ros.training.video import Video


class Sample(NamedTuple):
    """A clip of T frames of which S are judged; a batch of them has one dimension more."""

    rgb: Tensor
    """(T, 3, H, W) uint8."""
    judged: Tensor
    """(S,) int64, the frames that count."""
    inverse_depth: Tensor
    """(S, H, W) float32, 1/m: their truth. NaN: unknown."""

    def given(self, device: torch.device) -> tuple[Tensor, None, Tensor | None]:
        """Return what a model is given of a batch of samples: frames, no state, those wanted."""
        frames = normalised(self.rgb.to(device, non_blocking=True))
        if self.judged.shape[1] == self.rgb.shape[1]:
            return frames, None, None
        return frames, None, self.judged.to(device, non_blocking=True)


class VideoPool:
    """The videos of all sources, drawn by the weight of the source, then by their length."""

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
        """Return a video at random."""
        place = int(np.searchsorted(self._cumulative, random.random(), side='right'))
        return self.videos[min(place, len(self.videos) - 1)]


class ClipDataset(Dataset[Sample]):
    """The samples of one phase: `dataset[index]` for any index >= 0."""

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
        window = video.read(places(video.length, self.phase, random))
        size = (self.phase.height, self.phase.width)
        window = augment(window, size, self.augmentation, random).canonical(self.canonical_focal)
        rgb = torch.from_numpy(window.rgb).permute(0, 3, 1, 2)
        judged = judged_places(self.phase, random)
        return Sample(rgb, judged, torch.from_numpy(window.inverse_depth)[judged])


def places(length: int, phase: PhaseConfig, random: np.random.Generator) -> list[int]:
    """
    Draw the frames of a clip: one stride, one start; the last frame is repeated where it ends.

    Strides that do not fit into the video are not drawn, but for the smallest.
    """
    gaps = phase.frames - 1
    fitting = [stride for stride in phase.strides if stride * gaps < length]
    stride = int(random.choice(fitting or [min(phase.strides)]))
    start = int(random.integers(max(1, length - stride * gaps)))
    return [min(start + stride * i, length - 1) for i in range(phase.frames)]


def judged_places(phase: PhaseConfig, random: np.random.Generator) -> Tensor:
    """Draw the frames of a clip that count: all, or its first two, and two of each other part."""
    if not phase.judged:
        return torch.arange(phase.frames)
    pairs = phase.judged // 2
    bounds = np.linspace(0, phase.frames, pairs + 1).astype(int)
    firsts = random.integers(bounds[:-1], bounds[1:] - 1)
    firsts[0] = 0  # where every stream begins, with nothing to go on from
    return torch.from_numpy(np.stack((firsts, firsts + 1), axis=1).ravel())


class StepSampler(Sampler[list[int]]):
    """
    The indices of each step's samples for one of several processes.

    :param steps: the steps to go through, as counted from the start of the phase.
    :param first: the index of the phase's first sample.
    :param rank: this process among `world` ones.
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
