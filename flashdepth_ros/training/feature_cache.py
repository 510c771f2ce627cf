"""
Cached features of the frozen parts of a model.

Where only the temporal module and the layers after it are trained, most of a step would be spent
on extracting the same features again. With cached features a step takes a fraction of the time,
so that clips may be much longer.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import load_file, save_file
import torch
from torch import Tensor
from torch.utils.data import Dataset

from flashdepth_ros.network import FlashDepth
from flashdepth_ros.network.decoder import patch_grid
from flashdepth_ros.network.flashdepth import FrameFeatures
from flashdepth_ros.runtime.distributed import World
from flashdepth_ros.training.batches import CHUNK, normalise
from flashdepth_ros.training.config import PhaseConfig, TrainingConfig
from flashdepth_ros.training.datasets import ClipDataset, Sample
from flashdepth_ros.training.progress import Progress
from flashdepth_ros.training.writing import make_folder, writing


class CachedSample(NamedTuple):
    """Features of a clip of T frames, S of them with loss; a batch has one more dimension."""

    path: Tensor
    """(S, C, h, w)."""
    pyramid: list[Tensor]
    """(S, C, h, w) each."""
    tokens: Tensor
    """(T, l, C)."""
    loss_frames: Tensor
    """(S,) int64."""
    inverse_depth: Tensor
    """(S, H, W) float32, 1/m, the training target."""
    frames: Tensor
    """(S, 3, H, W) uint8 RGB; (S, 0) if the model has no detail path."""

    def model_inputs(self, device: torch.device) -> tuple[FrameFeatures]:
        """Return the model's arguments for a batch of samples."""
        tokens, loss_frames, path, *pyramid = (
            part.to(device, non_blocking=True)
            for part in (self.tokens, self.loss_frames, self.path, *self.pyramid)
        )
        pyramid = [maps.flatten(0, 1) for maps in pyramid]
        frames = None
        if self.frames.numel():
            frames = normalise(self.frames.to(device, non_blocking=True)).flatten(0, 1)
        return (
            FrameFeatures(
                path.flatten(0, 1),
                pyramid,
                tokens,
                loss_frames,
                len(tokens),
                patch_grid(self.inverse_depth),
                frames,
            ),
        )


class CachedDataset(Dataset[CachedSample]):
    """The cached samples, repeated without end; `dataset[index]` exists for every index >= 0."""

    def __init__(self, files: Sequence[Path], frame_repeats: int) -> None:
        self.files = files
        self.frame_repeats = frame_repeats

    def __getitem__(self, index: int) -> CachedSample:
        entries = load_file(self.files[index % len(self.files)])
        # Of the repetitions of a frame, the last one enters the loss.
        tokens = entries['tokens'].repeat_interleave(self.frame_repeats, dim=0)
        loss_frames = self.frame_repeats * entries['loss_frames'] + self.frame_repeats - 1
        pyramid = [entries[name] for name in sorted(entries) if name.startswith('pyramid')]
        return CachedSample(
            entries['path'],
            pyramid,
            tokens,
            loss_frames,
            entries['inverse_depth'],
            entries['frames'],
        )


BatchLoader = Callable[[Dataset[Any], Iterable[list[int]]], Iterable[Any]]
"""Loads the batches of a dataset with these indices, in this order."""


class FeatureCache:
    """
    Extracts features of samples, shared among the processes of a run, and caches them on disk.

    :param interrupted: returns whether this process was asked to stop.
    """

    def __init__(
        self,
        config: TrainingConfig,
        model: FlashDepth,
        world: World,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._config = config
        self._model = model
        self._world = world
        self._interrupted = interrupted

    def build(self, dataset: ClipDataset, load_batches: BatchLoader) -> CachedDataset | None:
        """
        Cache the first samples of a phase, except those that are cached already.

        Phases that differ only in what does not affect the features share their cache.

        :return: the cached samples; None if a process was asked to stop before the end.
        """
        world, phase = self._world, dataset.phase
        folder = Path(self._config.output) / 'cached' / self._key(phase)
        make_folder(folder)
        files = [folder / f'{index:06d}.safetensors' for index in range(phase.cached_samples)]
        missing = [index for index, file in enumerate(files) if not file.exists()]
        world.barrier()
        own = missing[world.rank :: world.size]
        progress = Progress()
        samples = iter(load_batches(dataset, [[index] for index in own]))
        # The same number of rounds in every process: `world.any` waits for all of them.
        for number, start in enumerate(range(0, len(missing), world.size)):
            if number < len(own):
                _save(self._extract(next(samples)), files[own[number]])
            if world.is_main:
                progress.log('caching features: sample %d of %d', start + 1, len(missing))
            if world.any(self._interrupted()):
                return None
        return CachedDataset(files, phase.frame_repeats)

    def _extract(self, sample: Sample) -> CachedSample:
        """Extract the features of a batch of one sample, its frames in chunks."""
        device, loss_frames = self._world.device, sample.loss_frames[0]
        rgb = sample.rgb[0, loss_frames]
        parts: list[FrameFeatures] = []
        bfloat16 = self._config.precision == 'bfloat16'
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            for start in range(0, sample.rgb.shape[1], CHUNK):
                frames = sample.rgb[:, start : start + CHUNK].to(device)
                in_chunk = (loss_frames >= start) & (loss_frames < start + frames.shape[1])
                indices = loss_frames[in_chunk] - start
                features = self._model.extract_features(
                    normalise(frames), indices[None].to(device)
                )
                parts.append(features)
        tokens = [part.tokens for part in parts if part.tokens is not None]
        return CachedSample(
            torch.cat([part.path for part in parts]),
            [torch.cat(maps) for maps in zip(*(part.pyramid for part in parts), strict=True)],
            torch.cat(tokens, dim=1)[0],
            loss_frames,
            sample.inverse_depth[0],
            rgb if parts[0].frames is not None else rgb.new_zeros(len(rgb), 0),
        )

    def _key(self, phase: PhaseConfig) -> str:
        """Return a digest of everything that the cached features depend on."""
        config = self._config
        drawn = replace(phase, steps=0, batch=0, cached_samples=0, frame_repeats=1)
        digest = hashlib.sha256(
            repr(
                (config.seed, config.precision, config.sources, config.augmentation, drawn)
            ).encode()
        )
        for name, entry in self._model.state_dict().items():
            if self._model.is_before_alignment(name):
                digest.update(entry.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def _save(sample: CachedSample, file: Path) -> None:
    """Write a file; it gets its final name only when it is complete."""
    entries = sample._asdict()
    pyramid = entries.pop('pyramid')
    entries |= {f'pyramid.{number}': maps for number, maps in enumerate(pyramid)}
    partial = file.with_suffix('.partial')
    tensors = {name: entry.cpu().contiguous() for name, entry in entries.items()}
    with writing(file, partial):
        save_file(tensors, partial)
        partial.replace(file)
